// Traffic and what became of it: ping, iperf3, and numbered datagrams at a steady rate.

import { fileURLToPath } from 'node:url';
import type { Host } from './host.ts';
import type { Namespace } from './namespace.ts';
import type { Program } from './program.ts';
import { waitFor } from './wait.ts';

export type PingResult = { sent: number; received: number; text: string };

export type PingOptions = {
  count?: number;
  /** Octets of ICMP payload. */
  size?: number;
  /**
   * Without it all are sent at once, unless that is more than queues on the way hold. ping waits for the last reply no longer
   * than an interval or two round trips; of those at once it is a second, which a peer that gets no CPU time for a while can
   * bear.
   */
  intervalSeconds?: number;
  /** Forbids fragments at the sender. */
  dontFragment?: boolean;
  /** Allows fragments on the way, which the kernel otherwise forbids for what fits the first link. */
  forbidsNothing?: boolean;
  /** The address to send from. */
  source?: string | undefined;
  /** How long to wait for the last reply. */
  waitSeconds?: number;
};

/** Payload that is sent at once. */
const BURST_OCTETS = 60_000;

export async function ping(from: Host, to: string, options: PingOptions = {}): Promise<PingResult> {
  const { count = 5, size = 56 } = options;
  const { intervalSeconds = count * size <= BURST_OCTETS ? undefined : 0.1 } = options;
  const { dontFragment = false, forbidsNothing = false, source, waitSeconds = 3 } = options;
  const pace = intervalSeconds === undefined ? ['-l', String(count), '-i', '1'] : ['-i', String(intervalSeconds)];
  const argv = ['ping', '-n', '-c', String(count), ...pace, '-s', String(size), '-W', String(waitSeconds)];
  const discovery = dontFragment ? ['-M', 'do'] : forbidsNothing ? ['-M', 'dont'] : [];
  const bound = source === undefined ? [] : ['-I', source];
  const { stdout, stderr } = await from.attempt([...argv, ...discovery, ...bound, to], {
    seconds: 5 + count,
  });
  const found = /(\d+) packets transmitted, (\d+) received/.exec(stdout);
  const text = stdout + stderr;
  return { sent: Number(found?.[1] ?? 0), received: Number(found?.[2] ?? 0), text };
}

/** Waits until one echo comes back: whatever must resolve or learn first has done so. */
export async function reach(from: Host, to: string, seconds = 5, options: PingOptions = {}): Promise<void> {
  let last = '';
  await waitFor(
    `${from.name} reaches ${to}`,
    seconds,
    async () => {
      const { received, text } = await ping(from, to, { ...options, count: 1 });
      last = text;
      return received === 1;
    },
    () => last,
  );
}

export type Iperf3Result = {
  bitsPerSecond: number;
  /** TCP only. */
  retransmits: number;
  /** UDP only: on the way, without what waited in the receiver's socket for CPU time until there was no room. */
  lostPercent: number;
  packets: number;
};

export type Iperf3Options = {
  seconds?: number;
  /** So many octets, instead of a time. */
  octets?: number;
  /** UDP at this rate, as iperf3 writes it (20M); without it TCP. */
  udpRate?: string;
  /** Octets of a write, and of a UDP datagram. */
  length?: number;
  /** From the server to the client. */
  reverse?: boolean;
  /** TCP maximum segment size. */
  mss?: number;
};

type Iperf3Report = {
  error?: string;
  end: {
    sum?: { lost_packets: number; packets: number; bits_per_second: number };
    sum_sent?: { retransmits?: number };
    sum_received?: { bits_per_second: number };
  };
};

/** Datagrams for which sockets of this host had no room so far (RcvbufErrors of both IP versions). */
async function overflows(host: Host): Promise<number> {
  const text = await host.run(['cat', '/proc/net/snmp', '/proc/net/snmp6']);
  const [names, values] = text.split('\n').filter((line) => line.startsWith('Udp: '));
  const column = names!.split(' ').indexOf('RcvbufErrors');
  const of6 = /^Udp6RcvbufErrors\s+(\d+)$/m.exec(text)?.[1] ?? '0';
  return Number(values!.split(' ')[column]) + Number(of6);
}

export class Iperf3Server {
  readonly address: string;
  readonly #host: Host;
  readonly #program: Program;
  #runs = 0;

  private constructor(host: Host, program: Program, address: string) {
    this.#host = host;
    this.#program = program;
    this.address = address;
  }

  static async start(namespace: Namespace, address: string): Promise<Iperf3Server> {
    const program = namespace.start(['iperf3', '--server', '--bind', address, '--forceflush']);
    const server = new Iperf3Server(namespace, program, address);
    await server.#listening();
    return server;
  }

  /** The server opens a new socket for every run. */
  async #listening(): Promise<void> {
    await this.#program.expect(new RegExp(`Server listening on \\d+ \\(test #${++this.#runs}\\)`), 5);
  }

  /** One run from `client`; rejects when iperf3 reports an error. */
  async measure(client: Host, options: Iperf3Options = {}): Promise<Iperf3Result> {
    const { seconds = 2, octets, udpRate, length, reverse = false, mss } = options;
    const amount = octets === undefined ? ['--time', String(seconds)] : ['--bytes', String(octets)];
    const argv = ['iperf3', '--client', this.address, ...amount, '--json'];
    if (udpRate !== undefined) argv.push('--udp', '--bitrate', udpRate);
    if (length !== undefined) argv.push('--length', String(length));
    if (reverse) argv.push('--reverse');
    if (mss !== undefined) argv.push('--set-mss', String(mss));
    const receiver = reverse ? client : this.#host;
    const before = udpRate === undefined ? 0 : await overflows(receiver);
    const { stdout, stderr } = await client.attempt(argv, { seconds: seconds + 10 });
    await this.#listening();
    const overflown = udpRate === undefined ? 0 : (await overflows(receiver)) - before;
    const report = JSON.parse(stdout === '' ? '{}' : stdout) as Iperf3Report;
    if (report.error !== undefined || stdout === '') {
      throw new Error(`${argv.join(' ')}: ${report.error ?? 'no report'}\n${stderr}${this.#program.output}`);
    }
    const { sum, sum_sent, sum_received } = report.end;
    return {
      bitsPerSecond: (udpRate === undefined ? sum_received : sum)?.bits_per_second ?? 0,
      retransmits: sum_sent?.retransmits ?? 0,
      lostPercent: sum === undefined ? 0 : (100 * Math.max(0, sum.lost_packets - overflown)) / sum.packets,
      packets: sum?.packets ?? 0,
    };
  }

  stop(): Promise<number> {
    return this.#program.stop();
  }
}

const SEQUENCE = fileURLToPath(new URL('./programs/udp-sequence.js', import.meta.url));

/** What the receiver of numbered datagrams saw since it was last asked. */
export type SequenceReport = {
  received: number;
  duplicates: number;
  reordered: number;
  /** Numbers between the lowest and the highest seen that did not come, but for those that overflowed. */
  lost: number;
  /** Came to the socket and found no room there: the program was not given a processor in time. */
  overflowed: number;
  /** The longest time without a datagram, up to the report. */
  largestGapMs: number;
  /** The longest that the sender was kept from sending, for want of CPU time. */
  senderPauseMs: number;
};

/** Numbered datagrams from one namespace to an address in another, at a steady rate. */
export class UdpSequence {
  readonly #sender: Program;
  readonly #receiver: Program;
  #reports = 0;

  private constructor(sender: Program, receiver: Program) {
    this.#sender = sender;
    this.#receiver = receiver;
  }

  static async start(
    from: Namespace,
    to: Namespace,
    address: string,
    options: { perSecond?: number; port?: number; octets?: number } = {},
  ): Promise<UdpSequence> {
    const { perSecond = 1000, port = 9000, octets = 64 } = options;
    const node = process.execPath;
    const receiver = to.start([node, SEQUENCE, 'receive', address, String(port)]);
    await receiver.expect(/^listening$/m, 5);
    const sender = from.start([node, SEQUENCE, 'send', address, String(port), String(perSecond), String(octets)]);
    await receiver.expect(/^first$/m, 5);
    return new UdpSequence(sender, receiver);
  }

  /** What came since the last report; starts counting anew. */
  async report(): Promise<SequenceReport> {
    this.#receiver.signal('SIGUSR2');
    const wanted = ++this.#reports;
    const lines = await waitFor('the receiver reports', 2, () => {
      const found = this.#receiver.output.split('\n').filter((line) => line.startsWith('{') && line.endsWith('}'));
      return found.length >= wanted && found;
    });
    return JSON.parse(lines[wanted - 1]!) as SequenceReport;
  }

  /** Stops sending, waits for what is under way, and resolves to the last report. */
  async stop(): Promise<SequenceReport> {
    await this.#sender.stop();
    const report = await this.report();
    await this.#receiver.stop();
    return report;
  }
}
