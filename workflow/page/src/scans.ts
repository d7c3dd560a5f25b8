/** What a page of scans does that nothing was measured on: opening a case, and a review of images and masks. */

import "./cases.ts";
import "./review.ts";
import "./page.ts";
