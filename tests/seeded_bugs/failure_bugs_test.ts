/**
 * The seeded bugs of failure_bugs.ts: every one must be caught. `TINYKVS_BUG=name` tries just that
 * one.
 */

import { failureBugs } from "./failure_bugs.ts";
import { testBugs } from "./suite.ts";

testBugs("failure", failureBugs);
