// What static neighbours have in common, whatever protocol asks for them: `net arp` for IPv4, `net ndp` for IPv6.

import { formatAddress, type IpFamily, parseAddress } from '../core/address.ts';
import { isGroupMac, parseMac } from '../core/mac.ts';
import type { AnyConfigObject, CheckContext } from './object-type.ts';
import { checkRouteDomain } from './route-domain.ts';
import type { MutableProperties } from './value.ts';

type Entry = AnyConfigObject & {
  readonly properties: { readonly 'ip-address': string; readonly 'mac-address': string };
};

/** The address of an entry that was created without one is its name. */
export function assignAddress(name: string, own: MutableProperties): void {
  if (own['ip-address'] !== undefined) return;
  const parsed = parseAddress(name.slice(name.indexOf('/', 1) + 1));
  if (parsed !== undefined) own['ip-address'] = formatAddress(parsed);
}

/** Each address is of the right IP version and has one entry, each MAC is that of one station. */
export function checkEntries(
  label: string,
  family: IpFamily,
  familyHint: string,
  objects: readonly Entry[],
  context: CheckContext,
): void {
  const owners = new Map<string, string>();
  for (const object of objects) {
    const { 'ip-address': ip, 'mac-address': macText } = object.properties;
    const parsed = parseAddress(ip)!;
    const refuse = (property: string, value: string, text: string, hint: string): void =>
      context.error(object, `${label} (${object.name}): ${text}`, { property, value, hint });
    checkRouteDomain(object, 'ip-address', parsed, context);
    if (parsed.family !== family) refuse('ip-address', ip, `${ip} is no IPv${family} address.`, familyHint);
    if (isGroupMac(parseMac(macText)!)) {
      refuse('mac-address', macText, `${macText} is a group address.`, 'Name the MAC address of one station.');
    }
    const twin = owners.get(ip);
    if (twin !== undefined) {
      const hint = `Modify that one: modify ${object.type} ${twin} mac-address ${macText}`;
      refuse('ip-address', ip, `${ip} has ${label} (${twin}) already.`, hint);
    }
    owners.set(ip, object.name);
  }
}
