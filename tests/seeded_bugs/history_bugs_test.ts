/**
 * The seeded bugs of history_bugs.ts: every one must be caught. `TINYKVS_BUG=name` tries just that
 * one.
 */

import { historyBugs } from "./history_bugs.ts";
import { testBugs } from "./suite.ts";

testBugs("history", historyBugs);
