// The XDP program that gives questions to AF_XDP sockets: it takes what the filter of a query ring takes (query-filter.ts), before
// the kernel sees it, and passes everything else on.

import { IpProtocol } from '../wire/ipv4.ts';
import { MAX_QUERY_OCTETS, type QueryFilter } from './query-filter.ts';

/** Instructions of eBPF (linux/bpf.h), for 64 bits but where it is said. */
const Code = {
  loadMap: 0x18,
  loadByte: 0x71,
  loadHalf: 0x69,
  loadWord: 0x61,
  move: 0xb7,
  moveRegister: 0xbf,
  add: 0x07,
  and: 0x57,
  toBigEndian: 0xdc,
  jump: 0x05,
  jumpGreater: 0x25,
  jumpGreaterRegister: 0x2d,
  jumpNotEqual: 0x55,
  jumpEqual: 0x15,
  jumpNotEqual32: 0x56,
  call: 0x85,
  exit: 0x95,
} as const;
/** Registers: what a function returns, arguments of one, and those of this program. */
const R = {
  result: 0,
  argument1: 1,
  argument2: 2,
  argument3: 3,
  data: 2,
  dataEnd: 3,
  end: 4,
  value: 5,
  context: 6,
} as const;
/** Members of struct xdp_md. */
const Context = { data: 0, dataEnd: 4, queue: 16 } as const;
const REDIRECT_MAP = 51;
const XDP_PASS = 2;
const MAP = 1;
const INSTRUCTION = 8;

/** As they are in the octets of a frame, read by a machine that has the low octet first. */
const half = (value: number): number => ((value & 0xff) << 8) | (value >>> 8);
const ETHER_TYPE = 12;
const IP = 14;

type Label = 'take' | 'pass' | 'ipv6' | `address ${number}`;
type Instruction = {
  readonly code: number;
  readonly to?: number;
  readonly from?: number;
  readonly offset?: number;
  readonly value?: number;
  readonly jump?: Label;
  readonly label?: Label;
};

const load = (code: number, at: number): Instruction => ({ code, to: R.value, from: R.data, offset: at });
const passUnless = (code: number, at: number, value: number): Instruction[] => [
  load(code, at),
  { code: Code.jumpNotEqual, to: R.value, value, jump: 'pass' },
];
/** The verifier wants to see that octets are there. */
const passIfShorter = (octets: number): Instruction[] => [
  { code: Code.moveRegister, to: R.end, from: R.data },
  { code: Code.add, to: R.end, value: octets },
  { code: Code.jumpGreaterRegister, to: R.end, from: R.dataEnd, jump: 'pass' },
];
const passUnlessQuestion = (udpAt: number, port: number): Instruction[] => [
  ...passUnless(Code.loadHalf, udpAt + 2, half(port)),
  load(Code.loadHalf, udpAt + 4),
  { code: Code.toBigEndian, to: R.value, value: 16 },
  { code: Code.jumpGreater, to: R.value, value: MAX_QUERY_OCTETS, jump: 'pass' },
];

/** `first`: numbers of labels, so that each is there once. */
function takeAddresses(at: number, addresses: readonly Uint8Array[], first: number): Instruction[] {
  const compare = addresses.flatMap((address, index): Instruction[] => {
    const view = new DataView(address.buffer, address.byteOffset, address.length);
    const next: Label = `address ${first + index + 1}`;
    const words = Array.from({ length: address.length / 4 }, (_, word): Instruction[] => [
      { ...load(Code.loadWord, at + word * 4), ...(word === 0 ? { label: `address ${first + index}` } : {}) },
      { code: Code.jumpNotEqual32, to: R.value, value: view.getInt32(word * 4, true), jump: next },
    ]);
    return [...words.flat(), { code: Code.jump, jump: 'take' }];
  });
  return [...compare, { code: Code.jump, jump: 'pass', label: `address ${first + addresses.length}` }];
}

/** The program as the kernel takes it; `mac`: of the device, for frames to others are not to be answered. */
export function queryProgram({ port, addresses }: QueryFilter, mac: Uint8Array): Uint8Array {
  const view = new DataView(mac.buffer, mac.byteOffset, mac.length);
  const ipv4 = addresses.filter(({ length }) => length === 4);
  const ipv6 = addresses.filter(({ length }) => length === 16);
  return assemble([
    { code: Code.moveRegister, to: R.context, from: R.argument1 },
    { code: Code.loadWord, to: R.data, from: R.context, offset: Context.data },
    { code: Code.loadWord, to: R.dataEnd, from: R.context, offset: Context.dataEnd },
    ...passIfShorter(IP + 20 + 8),
    load(Code.loadWord, 0),
    { code: Code.jumpNotEqual32, to: R.value, value: view.getInt32(0, true), jump: 'pass' },
    ...passUnless(Code.loadHalf, 4, view.getUint16(4, true)),
    load(Code.loadHalf, ETHER_TYPE),
    { code: Code.jumpEqual, to: R.value, value: half(0x86dd), jump: 'ipv6' },
    { code: Code.jumpNotEqual, to: R.value, value: half(0x0800), jump: 'pass' },
    ...passUnless(Code.loadByte, IP, 0x45),
    ...passUnless(Code.loadByte, IP + 9, IpProtocol.udp),
    load(Code.loadHalf, IP + 6),
    { code: Code.and, to: R.value, value: half(0x3fff) },
    { code: Code.jumpNotEqual, to: R.value, value: 0, jump: 'pass' },
    ...passUnlessQuestion(IP + 20, port),
    ...takeAddresses(IP + 16, ipv4, 0),
    ...withLabel('ipv6', passIfShorter(IP + 40 + 8)),
    ...passUnless(Code.loadByte, IP + 6, IpProtocol.udp),
    ...passUnlessQuestion(IP + 40, port),
    ...takeAddresses(IP + 24, ipv6, ipv4.length + 1),
    { code: Code.loadWord, to: R.argument2, from: R.context, offset: Context.queue, label: 'take' },
    { code: Code.loadMap, to: R.argument1, from: MAP },
    { code: 0 },
    // What becomes of a frame of a queue that has no socket.
    { code: Code.move, to: R.argument3, value: XDP_PASS },
    { code: Code.call, value: REDIRECT_MAP },
    { code: Code.exit },
    { code: Code.move, to: R.result, value: XDP_PASS, label: 'pass' },
    { code: Code.exit },
  ]);
}

const withLabel = (label: Label, [first, ...rest]: readonly Instruction[]): Instruction[] => [
  { ...first!, label },
  ...rest,
];

function assemble(instructions: readonly Instruction[]): Uint8Array {
  const places = new Map(instructions.flatMap(({ label }, index) => (label === undefined ? [] : [[label, index]])));
  const program = new DataView(new ArrayBuffer(instructions.length * INSTRUCTION));
  for (const [index, { code, to = 0, from = 0, offset = 0, value = 0, jump }] of instructions.entries()) {
    const at = index * INSTRUCTION;
    program.setUint8(at, code);
    program.setUint8(at + 1, (from << 4) | to);
    program.setInt16(at + 2, jump === undefined ? offset : places.get(jump)! - index - 1, true);
    program.setInt32(at + 4, value, true);
  }
  return new Uint8Array(program.buffer);
}
