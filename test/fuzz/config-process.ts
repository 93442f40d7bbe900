// A process that mutates configuration: `config-process.js SEED COUNT`. Its last line is the tally, as JSON.

import { fuzz } from './config-target.ts';

// Most of what is mutated is refused by an exception: the traces would take a tenth of the time.
Error.stackTraceLimit = 3;
const [seed, count] = process.argv.slice(2).map(Number);
const tally = await fuzz(seed!, count!, () => globalThis.gc!());
console.log(
  JSON.stringify({
    ...tally,
    residentOctets: process.resourceUsage().maxRSS * 1024,
  }),
);
