/** The viewer of cases, a script of its own beside them: the page does without it where no case is at hand. */

import { Niivue } from "@niivue/niivue";

export { Niivue };
