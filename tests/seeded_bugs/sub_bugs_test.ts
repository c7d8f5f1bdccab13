/**
 * The seeded bugs of sub_bugs.ts: every one must be caught. `TINYKVS_BUG=name` tries just that one.
 */

import { subBugs } from "./sub_bugs.ts";
import { testBugs } from "./suite.ts";

testBugs("parts of a store", subBugs);
