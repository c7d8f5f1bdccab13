/**
 * The seeded bugs of repair_bugs.ts. A test must catch each one. `TINYKVS_BUG=name` tries only that
 * one.
 */

import { repairBugs } from "./repair_bugs.ts";
import { testBugs } from "./suite.ts";

testBugs("verification and repair", repairBugs);
