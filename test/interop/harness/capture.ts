// Captures of what passes on a device, and what tshark thinks of them.

import { readFileSync } from 'node:fs';
import type { Namespace } from './namespace.ts';
import { run, type Program } from './program.ts';
import { waitFor } from './wait.ts';

export class Capture {
  readonly file: string;
  readonly #program: Program;

  private constructor(file: string, program: Program) {
    this.file = file;
    this.#program = program;
  }

  /** Starts tcpdump on a device; `filter` in its own language, `direction` as seen from the namespace. */
  static async start(
    namespace: Namespace,
    device: string,
    file: string,
    { filter = '', direction = 'inout' }: { filter?: string; direction?: 'in' | 'out' | 'inout' } = {},
  ): Promise<Capture> {
    // 16 MB of buffer: a large packet comes in many pieces at once.
    const how = ['-U', '-s', '0', '-B', '16384', '-Q', direction, '-Z', 'root', '--immediate-mode'];
    const program = namespace.start(['tcpdump', '-i', device, ...how, '-w', file, ...(filter === '' ? [] : [filter])]);
    await program.expect(/listening on/, 5);
    return new Capture(file, program);
  }

  /** Stops when at least `packets` that match a display filter are in the file. */
  async stop(packets = 0, filter = 'frame'): Promise<void> {
    const what = `${this.file} holds ${packets} packets`;
    await waitFor(what, 3, async () => (await countPackets(this.file, filter)) >= packets);
    await this.#program.stop('SIGINT');
  }
}

/** Fields of every packet that matches a display filter, one array a packet. */
export async function readFields(
  file: string,
  filter: string,
  fields: readonly string[],
  options: readonly string[] = [],
): Promise<string[][]> {
  const columns = fields.flatMap((field) => ['-e', field]);
  const argv = ['tshark', '-n', '-r', file, '-Y', filter, '-T', 'fields', '-E', 'separator=/t', ...columns];
  const text = await run([...argv, ...options], { seconds: 60 });
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => line.split('\t'));
}

/** The frames of a capture of ours, as they are: of large ones without tshark, which takes minutes. */
export function readFrames(file: string): Buffer[] {
  const octets = readFileSync(file);
  const frames: Buffer[] = [];
  // A header of 24 octets, and one of 16 in front of each frame, whose third word is the octets kept (pcap-savefile(5)).
  for (let at = 24; at + 16 <= octets.length;) {
    const kept = octets.readUInt32LE(at + 8);
    frames.push(octets.subarray(at + 16, at + 16 + kept));
    at += 16 + kept;
  }
  return frames;
}

export async function countPackets(file: string, filter = 'frame'): Promise<number> {
  const { length } = await readFields(file, filter, ['frame.number']).catch(() => []);
  return length;
}

// Off by default in tshark, because captures on a sender with offloads show unfinished ones.
// A tunnel may leave the checksum out over IPv6 (RFC 6935); tshark knows by request only.
const VERIFY = [
  'ip.check_checksum',
  'udp.check_checksum',
  'tcp.check_checksum',
  'udp.ignore_ipv6_zero_checksum',
].flatMap((name) => ['-o', `${name}:TRUE`]);

// Following streams takes minutes where many segments were lost, and says nothing of a checksum.
const NO_STREAMS = ['tcp.analyze_sequence_numbers', 'tcp.desegment_tcp_streams', 'tcp.calculate_timestamps'].flatMap(
  (name) => ['-o', `${name}:FALSE`],
);

const BAD_CHECKSUM = ['ip', 'udp', 'tcp', 'icmp', 'gre'].map((name) => `${name}.checksum.status == "Bad"`).join(' || ');
const COMPLAINT = ['frame.number', '_ws.expert.message', '_ws.col.Info'];

// Both are zero in ones' complement; Linux writes this one where it finishes a checksum in software (skb_checksum_help).
const OTHER_ZERO = 'Checksum 0xffff instead of 0x0000';

async function readComplaints(file: string, filter: string, options: readonly string[]): Promise<string[][]> {
  const rows = await readFields(file, filter, COMPLAINT, options);
  return rows.filter(([, message]) => message?.includes(OTHER_ZERO) !== true);
}

/** What tshark complains of: malformed packets, wrong checksums, and expert notes of severity warning or error. */
export function findComplaints(file: string): Promise<string[][]> {
  // Severity warning and above; what TCP made of delays (group sequence) is no fault of a header.
  const malformed = '_ws.malformed || (_ws.expert.severity >= 6291456 && !(_ws.expert.group == 33554432))';
  return readComplaints(file, [malformed, BAD_CHECKSUM].join(' || '), VERIFY);
}

/**
 * Packets with a wrong checksum, whatever else tshark thinks of their payload. A kernel leaves the checksum of a
 * super-frame unfinished: frames of more than `largestOctets` are left out.
 */
export function findBadChecksums(file: string, largestOctets = Infinity): Promise<string[][]> {
  const complete = largestOctets === Infinity ? 'frame' : `frame.len <= ${largestOctets}`;
  return readComplaints(file, `${complete} && (${BAD_CHECKSUM})`, [...VERIFY, ...NO_STREAMS]);
}
