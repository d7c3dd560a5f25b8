/** What the page of results does: its explorer, and opening a case. */

import "./cases.ts";
import "./review.ts";
import "./page.ts";
import * as vega from "vega";
import { compile } from "vega-lite";

export { compile, vega };
