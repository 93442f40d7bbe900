// Whether traffic passes through every tunnel of the lab, both ways.

import { Iperf3Server, ping, reach } from '../../test/interop/harness/traffic.ts';
import type { Branch, Lab } from './topology.ts';

export type Verdict = { tunnel: string; way: string; echoes: string; tcpMbits: number; passed: boolean };

/** Echoes of every size and a second of TCP, from both ends of every tunnel. */
export async function verifyLab(lab: Lab): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  for (const branch of lab.branches) verdicts.push(...(await verifyBranch(lab, branch)));
  return verdicts;
}

async function verifyBranch({ hostA, hostAddress }: Lab, branch: Branch): Promise<Verdict[]> {
  await reach(hostA, branch.address);
  const server = await Iperf3Server.start(branch.host, branch.address);
  const verdicts: Verdict[] = [];
  for (const outward of [true, false]) {
    const [from, to] = outward ? [hostA, branch.address] : [branch.host, hostAddress];
    const small = await ping(from, to);
    const large = await ping(from, to, { count: 2, size: 20_000 });
    const { bitsPerSecond } = await server.measure(hostA, { seconds: 1, reverse: !outward });
    const sent = small.sent + large.sent;
    const received = small.received + large.received;
    verdicts.push({
      tunnel: branch.tunnel,
      way: outward ? `host-a -> ${branch.hostName}` : `${branch.hostName} -> host-a`,
      echoes: `${received} of ${sent}`,
      tcpMbits: Math.round(bitsPerSecond / 1e6),
      passed: received === sent && bitsPerSecond > 0,
    });
  }
  await server.stop();
  return verdicts;
}
