// What others must know of `ltm pool` to name one: pools name monitors, and a monitor names a pool.

export const POOL = { path: 'ltm pool', label: 'Pool', naming: 'full-path' } as const;
