/**
 * The seeded bugs of repair_bugs.ts: every one must be caught. `TINYKVS_BUG=name` tries just that
 * one.
 */

import { repairBugs } from "./repair_bugs.ts";
import { testBugs } from "./suite.ts";

testBugs("verification and repair", repairBugs);
