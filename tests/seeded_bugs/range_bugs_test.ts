/**
 * The seeded bugs of range_bugs.ts. A test must catch each one. `TINYKVS_BUG=name` tries only that
 * one.
 */

import { rangeBugs } from "./range_bugs.ts";
import { testBugs } from "./suite.ts";

testBugs("deleted ranges", rangeBugs);
