/**
 * The seeded bugs of sub_bugs.ts. A test must catch each one. `TINYKVS_BUG=name` tries only that
 * one.
 */

import { subBugs } from "./sub_bugs.ts";
import { testBugs } from "./suite.ts";

testBugs("parts of a store", subBugs);
