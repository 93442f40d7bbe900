// Checks of traffic selectors: each by itself, and against the others of its order.

import { familyBits, formatAddress, networkOf, parsePrefix, prefixContains } from '../core/address.ts';
import type { IpPrefix } from '../core/address.ts';
import type { AnyConfigObject, CheckContext } from './object-type.ts';
import { remembered } from './remembered.ts';
import { netIpsecIpsecPolicy } from './types/net-ipsec-ipsec-policy.ts';

/** What the checks need to know of a `net ipsec traffic-selector`. */
export type SelectorObject = AnyConfigObject & {
  readonly properties: {
    readonly 'source-address': string;
    readonly 'destination-address': string;
    readonly 'source-port': number;
    readonly 'destination-port': number;
    readonly 'ip-protocol': number;
    readonly 'ipsec-policy': string;
    readonly direction: 'both' | 'in' | 'out';
    readonly order: number;
  };
};

type Parsed = {
  readonly object: SelectorObject;
  readonly source: IpPrefix;
  readonly destination: IpPrefix;
};

const ANY_PROTOCOL = 255;

export function checkSelectors(objects: readonly SelectorObject[], context: CheckContext): void {
  const byOrder = new Map<number, Parsed[]>();
  for (const object of objects) {
    const selector = checkSelector(object, context);
    if (selector === undefined) continue;
    const { order } = object.properties;
    const group = byOrder.get(order);
    if (group === undefined) byOrder.set(order, [selector]);
    else group.push(selector);
  }
  for (const group of byOrder.values()) if (group.length > 1) warnOfOverlaps(group, context);
}

/** Undefined: it competes with no other, as those of tunnels. */
const checkSelector = remembered((object: SelectorObject, context): Parsed | undefined => {
  const { 'source-address': sourceText, 'destination-address': destinationText } = object.properties;
  const source = parsePrefix(sourceText)!;
  const destination = parsePrefix(destinationText)!;
  for (const [property, text, prefix] of [
    ['source-address', sourceText, source],
    ['destination-address', destinationText, destination],
  ] as const) {
    const base = networkOf(prefix);
    if (formatAddress(base) === formatAddress(prefix.address)) continue;
    context.error(object, `Traffic selector (${object.name}): ${property} ${text} has bits behind its length.`, {
      property,
      value: text,
      hint: `Write ${formatAddress(base)}/${prefix.length}, or ${formatAddress(prefix.address)}/${familyBits(base.family)}.`,
    });
    return undefined;
  }
  if (source.address.family !== destination.address.family) {
    const text = `destination-address ${destinationText} has another IP version than source-address ${sourceText}.`;
    context.error(object, `Traffic selector (${object.name}): ${text}`, {
      property: 'destination-address',
      value: destinationText,
      hint: 'Both are of one IP version: write both, or give each version a selector of its own.',
    });
    return undefined;
  }
  if (source.address.routeDomain !== destination.address.routeDomain) {
    const text = `destination-address ${destinationText} has another route domain than source-address ${sourceText}.`;
    context.error(object, `Traffic selector (${object.name}): ${text}`, {
      property: 'destination-address',
      value: destinationText,
      hint: 'Both share the route domain.',
    });
    return undefined;
  }
  const mode = context.find(netIpsecIpsecPolicy, object.properties['ipsec-policy'])?.properties.mode;
  return mode === 'interface' ? undefined : { object, source, destination };
});

/**
 * Warns of each selector that takes packets which another of the same order takes as well.
 *
 * Prefixes overlap where one contains the other. In the order of their addresses, short ones first, all that contain a
 * prefix are on a stack when it comes; the side that tells more of them apart makes the stacks low.
 */
function warnOfOverlaps(group: readonly Parsed[], context: CheckContext): void {
  const side = distinct(group, 'source') >= distinct(group, 'destination') ? 'source' : 'destination';
  const sorted = group
    .map((selector, index) => ({ selector, index }))
    .sort((a, b) => compare(a.selector[side], b.selector[side]));
  const stack: { selector: Parsed; index: number }[] = [];
  const found = new Map<number, { later: Parsed; earlier: Parsed }>();
  for (const entry of sorted) {
    const prefix = entry.selector[side];
    while (stack.length > 0 && !contains(stack.at(-1)!.selector[side], prefix)) stack.pop();
    for (const other of stack) {
      if (!overlap(entry.selector, other.selector)) continue;
      const [earlier, later] = entry.index < other.index ? [entry, other] : [other, entry];
      if (!found.has(later.index)) found.set(later.index, { later: later.selector, earlier: earlier.selector });
      break;
    }
    stack.push(entry);
  }
  for (const [, { later, earlier }] of [...found].sort(([a], [b]) => a - b)) {
    const { order } = later.object.properties;
    const text = `order ${order} is also that of Traffic selector (${earlier.object.name}), and some packets fit both.`;
    context.warn(later.object, `Traffic selector (${later.object.name}): ${text}`, {
      property: 'order',
      value: String(order),
      hint: 'Give the one that shall count the lower order.',
    });
  }
}

function distinct(group: readonly Parsed[], side: 'source' | 'destination'): number {
  return new Set(group.map((selector) => selector.object.properties[`${side}-address`])).size;
}

function compare(a: IpPrefix, b: IpPrefix): number {
  const [left, right] = [a.address, b.address];
  if (left.family !== right.family) return left.family - right.family;
  if (left.routeDomain !== right.routeDomain) return left.routeDomain - right.routeDomain;
  for (const [index, word] of left.words.entries()) {
    const difference = (word >>> 0) - (right.words[index]! >>> 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

function contains(outer: IpPrefix, inner: IpPrefix): boolean {
  return outer.length <= inner.length && prefixContains(outer, inner.address);
}

function overlap(a: Parsed, b: Parsed): boolean {
  return (
    (shareDirection(a, b) && fits(a.source, b.source) && fits(a.destination, b.destination) && portsMeet(a, b)) ||
    // One of both directions also takes what comes the other way.
    (crosses(a, b) && fits(a.source, b.destination) && fits(a.destination, b.source))
  );
}

function fits(a: IpPrefix, b: IpPrefix): boolean {
  return contains(a, b) || contains(b, a);
}

function shareDirection(a: Parsed, b: Parsed): boolean {
  const [one, other] = [a.object.properties.direction, b.object.properties.direction];
  return one === other || (one === 'both' && other === 'out') || (one === 'out' && other === 'both');
}

function crosses(a: Parsed, b: Parsed): boolean {
  const [one, other] = [a.object.properties.direction, b.object.properties.direction];
  return ((one === 'both' && other === 'in') || (one === 'in' && other === 'both')) && protocolsMeet(a, b);
}

function protocolsMeet(a: Parsed, b: Parsed): boolean {
  const [one, other] = [a.object.properties['ip-protocol'], b.object.properties['ip-protocol']];
  return one === other || one === ANY_PROTOCOL || other === ANY_PROTOCOL;
}

function portsMeet(a: Parsed, b: Parsed): boolean {
  const meet = (one: number, other: number): boolean => one === other || one === 0 || other === 0;
  const [one, other] = [a.object.properties, b.object.properties];
  return (
    protocolsMeet(a, b) &&
    meet(one['source-port'], other['source-port']) &&
    meet(one['destination-port'], other['destination-port'])
  );
}
