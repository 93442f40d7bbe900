// `sys db`: variables of the whole system, each with a name and a value.
//
// Those that mean something here are always there and their values are checked. Any other is kept and saved, so that
// what was written for a BIG-IP loads, but nothing asks for it.

import { parseAddress } from '../../core/address.ts';
import { string } from '../kinds.ts';
import { objectType } from '../object-type.ts';
import type { ObjectOf } from '../object-type.ts';

/** The UDP port of VXLAN profiles that set none. */
export const VXLAN_PORT_VARIABLE = 'iptunnel.vxlan.udpport';

/** Whether replies go back to the MAC that a request came from, where the VLAN or tunnel says `default`. */
export const AUTO_LASTHOP_VARIABLE = 'connection.autolasthop';

/** Where iqueryd listens: `any`, or addresses with commas between them. */
export const IQUERY_ADDRESS_VARIABLE = 'iqueryd.address';
/** The TCP port of it. */
export const IQUERY_PORT_VARIABLE = 'iqueryd.port';
/** The oldest TLS that iqueryd takes from those who dial it. */
export const IQUERY_TLS_VARIABLE = 'big3d.minimum.tls.version';
/** Where metrics are served: `none`, or an address and a port. */
export const METRICS_LISTEN_VARIABLE = 'metricsd.listen';

type Variable = {
  /** As shipped. */
  readonly value: string;
  readonly expects: string;
  readonly accepts: (value: string) => boolean;
  /** Without effect in this version. */
  readonly inert?: true;
};

const switchedOn = (value: string): boolean => value === 'enable' || value === 'disable';
const isAddressList = (value: string): boolean =>
  value === 'any' || value.split(',').every((each) => parseAddress(each.trim())?.routeDomain === 0);
const isListenPlace = (value: string): boolean => value === 'none' || parseListenPlace(value) !== undefined;

/** An address and a port, as in `127.0.0.1:9353` and `[::1]:9353`. */
export function parseListenPlace(value: string): { address: string; port: number } | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([0-9.]+)):([1-9][0-9]{0,4})$/i.exec(value);
  const address = match?.[1] ?? match?.[2];
  if (address === undefined || parseAddress(address)?.routeDomain !== 0 || Number(match![3]) > 65_535) return undefined;
  return { address, port: Number(match![3]) };
}

const isPort = (value: string): boolean => /^[1-9][0-9]{0,4}$/.test(value) && Number(value) <= 65535;

const VARIABLES: Readonly<Record<string, Variable>> = {
  [IQUERY_TLS_VARIABLE]: {
    value: 'TLSV1.2',
    expects: 'TLSV1.2 or TLSV1.3',
    accepts: (value) => /^TLSV1\.[23]$/i.test(value),
  },
  [AUTO_LASTHOP_VARIABLE]: { value: 'enable', expects: 'enable or disable', accepts: switchedOn },
  // Whether self IPs may be link-local ones (RFC 3927), which they may here.
  'config.allow.rfc3927': { value: 'disable', expects: 'enable or disable', accepts: switchedOn, inert: true },
  // Whether tunnels belong to what a device group synchronises.
  'iptunnel.configsync': { value: 'enable', expects: 'enable or disable', accepts: switchedOn },
  [IQUERY_ADDRESS_VARIABLE]: {
    value: 'any',
    expects: 'any, or IP addresses with commas between them',
    accepts: isAddressList,
  },
  [IQUERY_PORT_VARIABLE]: { value: '4353', expects: 'a port from 1 to 65535', accepts: isPort },
  [METRICS_LISTEN_VARIABLE]: {
    value: 'none',
    expects: 'none, or an address and a port, as in 127.0.0.1:9353',
    accepts: isListenPlace,
  },
  [VXLAN_PORT_VARIABLE]: { value: '4789', expects: 'a port from 1 to 65535', accepts: isPort },
};

export const sysDb = objectType({
  path: 'sys db',
  label: 'DB variable',
  help: 'A variable of the whole system.',
  example: `
sys db iptunnel.vxlan.udpport {
    value 8472
}
`,
  readBy: ['iqueryd', 'metricsd'],
  naming: 'plain',
  sync: 'local',
  builtIn: Object.fromEntries(Object.entries(VARIABLES).map(([name, { value }]) => [name, { value }])),
  properties: {
    value: string({ required: true, help: 'The value.' }),
  },
  check(objects, context) {
    for (const object of objects) {
      const { value } = object.properties;
      const variable = Object.hasOwn(VARIABLES, object.name) ? VARIABLES[object.name] : undefined;
      if (variable === undefined) {
        context.warn(object, `DB variable (${object.name}): no such variable is known; it is kept, but has no effect.`);
      } else if (!variable.accepts(value)) {
        context.error(object, `DB variable (${object.name}): value ${value} must be ${variable.expects}.`, {
          property: 'value',
          value,
          hint: `As shipped: modify sys db ${object.name} value ${variable.value}`,
        });
      } else if (variable.inert === true && value !== variable.value) {
        context.warn(object, `DB variable (${object.name}): value is kept, but has no effect in this version.`);
      }
    }
  },
});

export type DbVariable = ObjectOf<typeof sysDb>;
