// Measures the way to an address once and prints what was found.
//
//   measure-path ADDRESS PROTOCOLS       {"measure":{"roundTripTime":…,"completionRate":…},"hops":…}

import { PathProber, type PathProtocol } from '../../../../src/probe/path-prober.ts';

const [address = '', protocols = ''] = process.argv.slice(2);
const prober = new PathProber();
const measure = await prober.measure(address, { protocols: protocols.split(',') as PathProtocol[] });
const hops = await prober.countHops(address, { octets: 64, samples: 3, timeoutMs: 1000 });
prober.close();
console.log(JSON.stringify({ measure, hops }));
