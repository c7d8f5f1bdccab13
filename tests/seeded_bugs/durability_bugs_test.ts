/**
 * The seeded bugs of durability_bugs.ts: every one must be caught. `TINYKVS_BUG=name` tries just
 * that one.
 */

import { durabilityBugs } from "./durability_bugs.ts";
import { testBugs } from "./suite.ts";

testBugs("durability", durabilityBugs);
