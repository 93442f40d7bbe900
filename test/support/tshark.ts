// tshark, which reads what we write without knowing us.

import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The fields of each packet of a capture, one list a packet; checksums are verified. `preferences`: further ones of -o. */
export function tsharkFields(
  capture: Uint8Array,
  fields: readonly string[],
  preferences: readonly string[] = [],
): string[][] {
  const directory = mkdtempSync(join(tmpdir(), 'wideplane-'));
  try {
    const file = join(directory, 'capture.pcapng');
    writeFileSync(file, capture);
    const checked = ['ip', 'udp', 'tcp'].map((protocol) => `${protocol}.check_checksum:TRUE`);
    const checks = [...checked, ...preferences].flatMap((preference) => ['-o', preference]);
    const options = ['-n', '-T', 'fields', '-E', 'separator=|', ...checks, ...fields.flatMap((field) => ['-e', field])];
    const { status, stdout, stderr, error } = spawnSync('tshark', ['-r', file, ...options], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`tshark cannot read the capture: ${error?.message ?? stderr}`);
    return stdout
      .split('\n')
      .slice(0, -1)
      .map((line) => line.split('|'));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** What tshark's dissectors complain of, packet by packet: warnings and errors, and what they call malformed. */
export function tsharkComplaints(capture: Uint8Array, preferences: readonly string[] = []): string[] {
  const fields = ['frame.number', '_ws.expert.severity', '_ws.expert.message', '_ws.malformed'];
  return tsharkFields(capture, fields, preferences)
    .filter(([, severities = '', , malformed]) => {
      const worst = Math.max(0, ...severities.split(',').map(Number));
      return worst >= WARNING || malformed !== '';
    })
    .map((line) => line.join(' '));
}

/** PI_WARN of Wireshark's expert information. */
const WARNING = 6_291_456;
