// Captured frames as lines: tcpdump dissects them where it is installed, otherwise a short line says what can be read at
// a glance. Either way the point, the direction and the drop reason are ours.

import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { formatIpv4 } from '../core/address.ts';
import { formatMac } from '../core/mac.ts';
import { Direction } from '../pipeline/tap.ts';
import {
  checkEthernet,
  ETHERNET_DESTINATION,
  ETHERNET_HEADER_OCTETS,
  ETHERNET_SOURCE,
  EtherType,
  etherType,
} from '../wire/ethernet.ts';
import { checkIpv4, ipv4Destination, ipv4Protocol, ipv4Source } from '../wire/ipv4.ts';
import { type CapturedFrame, type FrameSink, PcapngEncoder } from './capture-file.ts';

/** tcpdump, ready to read a capture; undefined when it is not installed. */
export async function startDissector(): Promise<ChildProcessWithoutNullStreams | undefined> {
  // Detached, or a terminal's Ctrl-C would reach it before its last lines; it ends when its input does.
  const child = spawn('tcpdump', ['-r', '-', '-e', '-nn', '-l', '-tt'], { detached: true });
  child.stderr.resume();
  child.stdin.on('error', () => undefined);
  child.on('error', () => undefined);
  try {
    await once(child, 'spawn');
    return child;
  } catch {
    return undefined;
  }
}

// With -tt the first line of a frame starts with the seconds since the epoch; tunnels are dissected on further lines.
const FIRST_LINE = /^\d+\.\d+ /;
/** How long a line waits for what may still belong to it. */
const LINE_PATIENCE_MS = 50;

export class LineSink implements FrameSink {
  readonly #print: (line: string) => void;
  readonly #dissector: ChildProcessWithoutNullStreams | undefined;
  readonly #encoder = new PcapngEncoder();
  /** Labels of frames that the dissector has not answered yet: it keeps their order. */
  readonly #labels: string[] = [];
  #line = '';
  #timer: NodeJS.Timeout | undefined;

  constructor(print: (line: string) => void, dissector: ChildProcessWithoutNullStreams | undefined) {
    this.#print = print;
    this.#dissector = dissector;
    if (dissector === undefined) return;
    dissector.stdin.write(this.#encoder.header());
    createInterface({ input: dissector.stdout }).on('line', (line) => this.#take(line));
  }

  async write(frame: CapturedFrame): Promise<void> {
    if (this.#dissector === undefined) {
      this.#print(`${label(frame)}${summary(Buffer.from(frame.octets, 'base64'), frame.originalOctets)}`);
      return;
    }
    this.#labels.push(label(frame));
    const { stdin } = this.#dissector;
    if (!stdin.write(this.#encoder.blocks(frame)) && !stdin.destroyed) await once(stdin, 'drain');
  }

  async close(): Promise<void> {
    if (this.#dissector === undefined) return;
    this.#dissector.stdin.end();
    if (this.#dissector.exitCode === null) await once(this.#dissector, 'close');
    this.#flush();
  }

  #take(line: string): void {
    if (!FIRST_LINE.test(line)) {
      this.#line += `: ${line.trim()}`;
      return;
    }
    this.#flush();
    this.#line = (this.#labels.shift() ?? '') + line.replace(FIRST_LINE, '');
    this.#timer = setTimeout(() => this.#flush(), LINE_PATIENCE_MS);
  }

  #flush(): void {
    clearTimeout(this.#timer);
    if (this.#line !== '') this.#print(this.#line);
    this.#line = '';
  }
}

/** Time of day, point, direction, and the reason of a drop. */
function label(frame: CapturedFrame): string {
  const micros = BigInt(frame.timeNs) / 1000n;
  const time = new Date(Number(micros / 1000n)).toTimeString().slice(0, 8);
  const fraction = (micros % 1_000_000n).toString().padStart(6, '0');
  const how = frame.direction === Direction.outbound ? 'out' : 'in';
  return `${time}.${fraction} ${frame.point} ${frame.drop === '' ? how : `dropped: ${frame.drop}`} `;
}

function summary(octets: Uint8Array, originalOctets: number): string {
  if (checkEthernet(octets, 0, octets.length) !== 0) return `cut short, length ${originalOctets}`;
  const macs = `${formatMac(octets, ETHERNET_SOURCE)} > ${formatMac(octets, ETHERNET_DESTINATION)}`;
  const type = etherType(octets, 0);
  const ip = ETHERNET_HEADER_OCTETS;
  let payload = `ethertype 0x${type.toString(16).padStart(4, '0')}`;
  if (type === EtherType.ipv4 && checkIpv4(octets, ip, octets.length) === 0) {
    const ends = `${formatIpv4(ipv4Source(octets, ip))} > ${formatIpv4(ipv4Destination(octets, ip))}`;
    payload = `${ends} protocol ${ipv4Protocol(octets, ip)}`;
  }
  return `${macs}, ${payload}, length ${originalOctets}`;
}
