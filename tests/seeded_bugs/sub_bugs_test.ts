/** Each bug of sub_bugs.ts is put into a copy of the sources, and its tests must fail. */

import { subBugs } from "./sub_bugs.ts";
import { testBugs } from "./suite.ts";

testBugs("parts of a store", subBugs);
