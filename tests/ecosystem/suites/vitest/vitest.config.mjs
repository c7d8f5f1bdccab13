/** All pools with both environments. What clocks do depends on the environment only. */

const pools = ["threads", "forks", "vmThreads", "vmForks"];
const withClocks = ["threads node", "vmForks jsdom"];

export default {
  test: {
    watch: false,
    maxWorkers: 2,
    projects: pools.flatMap((pool) =>
      ["node", "jsdom"].map((environment) => ({
        test: {
          name: `${pool} ${environment}`,
          pool,
          environment,
          include: [
            withClocks.includes(`${pool} ${environment}`) ? "*.test.mjs" : "life.test.mjs",
          ],
        },
      }))
    ),
  },
};
