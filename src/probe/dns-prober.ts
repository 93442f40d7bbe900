// Probes by DNS over UDP: monitors of type dns. An answer counts only with the ID and the question of its query, from the address
// that was asked.

import { randomInt } from 'node:crypto';
import type { Socket } from 'node:dgram';
import { decode, encode, RECURSION_DESIRED, type DecodedPacket } from 'dns-packet';
import { addressOctets, parseAddress } from '../core/address.ts';
import type { Monitor, ProbeSpec } from '../health/monitor.ts';
import { type Cancel, MAX_SHOWN, type ProbeOutcome, type Verdict } from '../health/probe.ts';
import { Deadline, type Deadlines } from './deadlines.ts';
import { faultOf, impossibleLater, tookSince } from './outcome.ts';
import { datagramSocket, type RoutedPlace } from './probe-socket.ts';
import { boundedText, shownOctetText, shownTime } from './shown-text.ts';

type DnsSpec = Extract<ProbeSpec, { type: 'dns' }>;

/** Header (RFC 1035, section 4.1.1): octets, and bits of the octets 2 and 3. */
const HEADER = 12;
const RESPONSE = 0x80;
const TRUNCATED = 0x02;
const RCODE = 0x0f;
/** Datagrams that answer something else, until it is clear that no answer is to be expected among them. */
const MOST_STRAY = 100;
const MAX_NAME = 255;

const RCODES = ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED'];

type Judged = { readonly verdict: Verdict; readonly reason: string; readonly received: string };

class DnsProbe extends Deadline {
  readonly #monitor: Monitor;
  readonly #spec: DnsSpec;
  readonly #query: Buffer;
  readonly #socket: Socket;
  readonly #timeout: number;
  readonly #deadlines: Deadlines;
  readonly #done: (outcome: ProbeOutcome) => void;
  readonly #started = performance.now();
  #stray = 0;
  #isOver = false;

  constructor(
    monitor: Monitor,
    query: Buffer,
    place: RoutedPlace,
    timeout: number,
    deadlines: Deadlines,
    done: (outcome: ProbeOutcome) => void,
  ) {
    super();
    this.#monitor = monitor;
    this.#spec = monitor.probe as DnsSpec;
    this.#query = query;
    this.#timeout = timeout;
    this.#deadlines = deadlines;
    this.#done = done;
    // A socket for each query: the kernel picks a port by chance.
    this.#socket = datagramSocket(place);
    this.#socket.on('error', (error: NodeJS.ErrnoException) => this.#failed(error));
    this.#socket.on('message', (message) => this.#received(message));
    this.#socket.on('connect', () => {
      if (!this.#isOver) this.#socket.send(this.#query);
    });
    this.#socket.connect(place.port, place.address);
    deadlines.add(this, timeout);
  }

  cancel(): void {
    if (!this.#isOver) this.#release();
  }

  expire(): void {
    const within = `within ${shownTime(this.#timeout)}`;
    if (this.#stray === 0) this.#finish({ verdict: 'silent', reason: `no answer ${within}`, received: '' });
    else this.#finish(this.#strayed(`${within} came only what does not answer the query`));
  }

  #received(message: Buffer): void {
    if (this.#isOver) return;
    if (isAnswer(message, this.#query)) {
      this.#finish(judge(message, this.#monitor, this.#spec));
    } else if (++this.#stray === MOST_STRAY) {
      this.#finish(this.#strayed('what comes does not answer the query'));
    }
  }

  #strayed(reason: string): Judged {
    return { verdict: 'wrong', reason, received: `${this.#stray} datagrams of something else` };
  }

  #failed(error: NodeJS.ErrnoException): void {
    if (this.#isOver) return;
    const { verdict, reason } = faultOf(error);
    this.#finish({ verdict, reason: verdict === 'refused' ? 'port unreachable' : reason, received: '' });
  }

  #finish({ verdict, reason, received }: Judged): void {
    this.#release();
    const sent = boundedText(`${this.#spec.name} ${this.#spec.recordType.toUpperCase()}`, MAX_SHOWN);
    this.#done({ verdict, reason, sent, received: received || undefined, took: tookSince(this.#started) });
  }

  #release(): void {
    this.#isOver = true;
    this.#deadlines.remove(this);
    this.#socket.close();
  }
}

/** Whether it answers the query: ID, the bit of a response, and the question, in whatever case. */
function isAnswer(message: Buffer, query: Buffer): boolean {
  if (message.length < query.length) {
    // Without a question: servers that refuse, or cannot read it, may leave it out.
    const isBare = message.length === HEADER && message.readUInt16BE(4) === 0 && (message[3]! & RCODE) !== 0;
    return isBare && message.readUInt16BE(0) === query.readUInt16BE(0) && (message[2]! & RESPONSE) !== 0;
  }
  if (message.readUInt16BE(0) !== query.readUInt16BE(0) || (message[2]! & RESPONSE) === 0) return false;
  if (message.readUInt16BE(4) !== 1) return false;
  for (let at = HEADER; at < query.length; at++) {
    if (lower(message[at]!) !== lower(query[at]!)) return false;
  }
  return true;
}

const lower = (octet: number): number => (octet >= 65 && octet <= 90 ? octet + 32 : octet);

function judge(message: Buffer, monitor: Monitor, spec: DnsSpec): Judged {
  const rcode = RCODES[message[3]! & RCODE] ?? `RCODE ${message[3]! & RCODE}`;
  if (spec.acceptsRcode === 'anything') return { verdict: 'up', reason: `answered: ${rcode}`, received: rcode };
  if (rcode !== 'NOERROR') return { verdict: 'wrong', reason: `the answer is ${rcode}`, received: rcode };
  if ((message[2]! & TRUNCATED) !== 0) {
    return { verdict: 'up', reason: 'answered: more than fits in a datagram', received: `${rcode}, truncated` };
  }
  let answers: NonNullable<DecodedPacket['answers']>;
  try {
    answers = decode(message).answers ?? [];
  } catch {
    return {
      verdict: 'wrong',
      reason: 'the answer cannot be read',
      received: shownOctetText(message.toString('latin1', 0, 200)),
    };
  }
  const addresses = answers.flatMap((answer) => (answer.type === 'A' || answer.type === 'AAAA' ? [answer.data] : []));
  const shown = answers.slice(0, 8).map((answer) => {
    const data: unknown = 'data' in answer ? answer.data : '';
    return `${answer.type} ${typeof data === 'string' ? data : '…'}`;
  });
  const received = boundedText(`${rcode}, ${shown.join(', ') || 'no answer'}`, MAX_SHOWN);
  const wrong = (reason: string): Judged => ({ verdict: 'wrong', reason, received });
  const wanted = spec.recordType.toUpperCase();
  if (spec.contains === 'query-type' && !answers.some(({ type }) => type === wanted)) {
    return wrong(`the answer has no record of type ${wanted}`);
  }
  if (spec.contains === 'any-type' && answers.length === 0) return wrong('the answer has no record');
  if (spec.receive !== '') {
    const isThere = addresses.some((address) => isSameAddress(address, spec.receive));
    if (monitor.isReverse && isThere) return wrong(`the answer has ${spec.receive}, which is what reverse looks for`);
    if (!monitor.isReverse && !isThere) return wrong(`the answer does not have ${spec.receive}`);
  }
  return { verdict: 'up', reason: 'answered', received };
}

function isSameAddress(one: string, other: string): boolean {
  const [first, second] = [parseAddress(one), parseAddress(other)];
  if (first === undefined || second === undefined) return one === other;
  return Buffer.compare(Buffer.from(addressOctets(first)), Buffer.from(addressOctets(second))) === 0;
}

export class DnsProber {
  readonly #deadlines: Deadlines;

  constructor(deadlines: Deadlines) {
    this.#deadlines = deadlines;
  }

  probe(monitor: Monitor, place: RoutedPlace, timeout: number, done: (outcome: ProbeOutcome) => void): Cancel {
    const { name, recordType } = monitor.probe as DnsSpec;
    const labels = name.replace(/\.$/, '').split('.');
    const isName = labels.every((label) => label !== '' && Buffer.byteLength(label) < 64);
    if ((name !== '.' && !isName) || Buffer.byteLength(name) > MAX_NAME) {
      return impossibleLater(`"${boundedText(name, 80)}" is not a name to ask for: set qname`, done);
    }
    const query = encode({
      type: 'query',
      id: randomInt(0x10000),
      flags: RECURSION_DESIRED,
      questions: [{ type: recordType === 'a' ? 'A' : 'AAAA', name }],
    });
    const probe = new DnsProbe(monitor, query, place, timeout, this.#deadlines, done);
    return () => probe.cancel();
  }
}
