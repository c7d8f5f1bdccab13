/**
 * The seeded bugs of value_bugs.ts. A test must catch each one. `TINYKVS_BUG=name` tries only that
 * one.
 */

import { testBugs } from "./suite.ts";
import { valueBugs } from "./value_bugs.ts";

testBugs("large values", valueBugs);
