/**
 * The seeded bugs of transaction_bugs.ts: every one must be caught. `TINYKVS_BUG=name` tries just
 * that one.
 */

import { testBugs } from "./suite.ts";
import { transactionBugs } from "./transaction_bugs.ts";

testBugs("transactions", transactionBugs);
