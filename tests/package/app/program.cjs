const library = require("@tinykvs/core");

import("./check.mjs").then(async ({ check }) => console.log(await check(library, "./stores")));
