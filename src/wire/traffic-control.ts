// Traffic control over rtnetlink (linux/pkt_sched.h, linux/pkt_cls.h, linux/tc_act/tc_mirred.h): the two requests that send
// all that a device receives out by another one, as these commands do:
//
//   tc qdisc add dev FROM ingress
//   tc filter add dev FROM ingress prio 1 protocol all u32 match u32 0 0 action mirred egress redirect dev TO
//
// The classifier is u32, which every kernel with traffic control has; matchall is missing in some.

import { ATTRIBUTE_HEADER_OCTETS, LITTLE_ENDIAN, NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, request } from './rtnetlink.ts';

const RTM_NEWQDISC = 36;
const RTM_NEWTFILTER = 44;
const TC_H_INGRESS = 0xfffffff1;
const INGRESS_HANDLE = 0xffff0000;
/** TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS) */
const INGRESS_FILTERS = 0xfffffff2;
const TCA_KIND = 1;
const TCA_OPTIONS = 2;
const TCA_U32_SEL = 5;
const TCA_U32_ACT = 7;
const TCA_ACT_KIND = 1;
const TCA_ACT_OPTIONS = 2;
const TCA_MIRRED_PARMS = 2;
const NESTED = 0x8000;
const FIRST_ACTION = 1;
const FIRST_PRIORITY = 1;
/** ETH_P_ALL in network order. */
const ALL_PROTOCOLS = 0x0300;
const TC_ACT_STOLEN = 4;
const TCA_EGRESS_REDIR = 1;
const TC_U32_TERMINAL = 1;

/** Gives a device a place for filters of what it receives; the answer is EEXIST when it has one. */
export function addIngressRequest(sequence: number, index: number): Uint8Array {
  const body = tcMessage(index, INGRESS_HANDLE, TC_H_INGRESS, 0, [attribute(TCA_KIND, text('ingress'))]);
  return request(RTM_NEWQDISC, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, sequence, body);
}

/** All that the device `from` receives leaves by the device `to`; the host sees nothing of it. */
export function redirectRequest(sequence: number, from: number, to: number): Uint8Array {
  // struct tc_mirred: five words of any action, what to do, and the device.
  const mirred = integers([0, 0, TC_ACT_STOLEN, 0, 0, TCA_EGRESS_REDIR, to]);
  const action = [
    attribute(TCA_ACT_KIND, text('mirred')),
    attribute(TCA_ACT_OPTIONS | NESTED, attribute(TCA_MIRRED_PARMS, mirred)),
  ];
  // struct tc_u32_sel with one key that compares nothing.
  const selector = new Uint8Array(32);
  selector[0] = TC_U32_TERMINAL;
  selector[2] = 1;
  const options = [
    attribute(TCA_U32_ACT, attribute(FIRST_ACTION, concatenate(action))),
    attribute(TCA_U32_SEL, selector),
  ];
  const body = tcMessage(from, 0, INGRESS_FILTERS, (FIRST_PRIORITY << 16) | ALL_PROTOCOLS, [
    attribute(TCA_KIND, text('u32')),
    attribute(TCA_OPTIONS, concatenate(options)),
  ]);
  return request(RTM_NEWTFILTER, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, sequence, body);
}

function tcMessage(
  index: number,
  handle: number,
  parent: number,
  info: number,
  attributes: readonly Uint8Array[],
): Uint8Array {
  // struct tcmsg: family and padding, then these.
  return concatenate([integers([0, index, handle, parent, info]), ...attributes]);
}

/** Header and value, padded to 4 octets. */
function attribute(type: number, value: Uint8Array): Uint8Array {
  const octets = ATTRIBUTE_HEADER_OCTETS + value.length;
  const result = new Uint8Array((octets + 3) & ~3);
  const view = new DataView(result.buffer);
  view.setUint16(0, octets, LITTLE_ENDIAN);
  view.setUint16(2, type, LITTLE_ENDIAN);
  result.set(value, ATTRIBUTE_HEADER_OCTETS);
  return result;
}

function integers(values: readonly number[]): Uint8Array {
  const result = new Uint8Array(4 * values.length);
  const view = new DataView(result.buffer);
  for (const [position, value] of values.entries()) view.setUint32(4 * position, value, LITTLE_ENDIAN);
  return result;
}

/** With its terminating zero. */
const text = (value: string): Uint8Array => Uint8Array.from(`${value}\0`, (character) => character.charCodeAt(0));

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const result = new Uint8Array(parts.reduce((octets, part) => octets + part.length, 0));
  let at = 0;
  for (const part of parts) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}
