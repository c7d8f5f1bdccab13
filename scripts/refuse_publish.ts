/** Runs when somebody publishes the checkout itself, which holds TypeScript that npm users cannot load. */

import process from "node:process";

console.error(
  "Cannot publish the checkout: run `npm run build:npm`, then `npm publish ./dist/npm`",
);
process.exit(1);
