/** What the runners load: the library, and a life for it. */

export * from "../../mod.ts";
export { until, waitsThatEnd, wholeLife } from "./life.ts";
