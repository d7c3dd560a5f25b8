/** What the page of results does: its explorer, and opening a case. */

import "./cases.ts";
import "./explorer.ts";
import "./review.ts";
import "./page.ts";
