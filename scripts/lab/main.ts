// The lab of scripts/run: builds the topology, keeps traffic in every tunnel, and shows what wideplane says of it.
//
//   node dist/scripts/lab/main.js [--once]      as root, in namespaces of its own (scripts/lib/lab-inside.sh)

import { parseArgs } from 'node:util';
import { UdpSequence } from '../../test/interop/harness/traffic.ts';
import { delay } from '../../test/interop/harness/wait.ts';
import { type Flow, renderStatus, type Sample, table, takeSample } from './status.ts';
import { buildLab, type Lab } from './topology.ts';
import { verifyLab } from './verify.ts';

const REFRESH_MS = 1000;
const PER_SECOND = 200;
const CLEAR = '\u001b[H\u001b[2J\u001b[3J';

const { values } = parseArgs({ options: { once: { type: 'boolean', default: false } } });
let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => (interrupted = true));

console.log('==> building the lab');
const lab = await buildLab();
process.exitCode = values.once ? await runOnce(lab) : await watch(lab);
for (const { wideplane } of lab.sites) await wideplane.stop();

async function runOnce(built: Lab): Promise<number> {
  console.log('==> verifying every tunnel, both ways');
  const before = await takeSample(built, []);
  const verdicts = await verifyLab(built);
  console.log(renderStatus(await takeSample(built, []), before));
  const rows = verdicts.map(({ tunnel, way, echoes, tcpMbits, passed }) => [
    tunnel,
    way,
    echoes,
    String(tcpMbits),
    passed ? 'ok' : 'FAILED',
  ]);
  console.log(table(['TUNNEL', 'WAY', 'ECHOES', 'TCP MBIT/S', 'RESULT'], rows));
  const failed = verdicts.filter(({ passed }) => !passed).length;
  console.log(failed === 0 ? 'traffic passes through every tunnel both ways' : `${failed} of ${rows.length} FAILED`);
  return failed === 0 ? 0 : 1;
}

async function watch(built: Lab): Promise<number> {
  const flows = await startFlows(built);
  let before: Sample | undefined;
  while (!interrupted) {
    const sample = await takeSample(built, flows);
    const text = `wideplane lab: Ctrl-C ends it and leaves nothing behind\n${renderStatus(sample, before)}`;
    process.stdout.write(process.stdout.isTTY ? `${CLEAR}${text}` : `${text}\n`);
    before = sample;
    await delay(REFRESH_MS);
  }
  console.log('==> stopping');
  return 0;
}

/** Numbered datagrams through every tunnel, both ways. */
async function startFlows({ hostA, hostAddress, branches }: Lab): Promise<Flow[]> {
  const flows: Flow[] = [];
  for (const [index, { host, hostName, address }] of branches.entries()) {
    const outward = await UdpSequence.start(hostA, host, address, { perSecond: PER_SECOND });
    flows.push({ name: `host-a -> ${hostName}`, sequence: outward });
    const options = { perSecond: PER_SECOND, port: 9001 + index };
    const homeward = await UdpSequence.start(host, hostA, hostAddress, options);
    flows.push({ name: `${hostName} -> host-a`, sequence: homeward });
  }
  return flows;
}
