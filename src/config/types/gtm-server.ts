// `gtm server`: a machine with virtual servers, whose addresses wide IPs answer.

import { checkServerMonitors } from '../check-gtm-monitors.ts';
import {
  dependencyKind,
  destinationKind,
  isDependency,
  LIMITS,
  SERVER_LIMITS,
  serverNameProblem,
  splitVirtualServerKey,
  virtualServerNameKind,
} from '../gtm-kinds.ts';
import { address, choice, flag, integer, pattern, recordsByPattern, reference } from '../kinds.ts';
import { string, yesNo } from '../kinds.ts';
import { password } from '../monitor-kinds.ts';
import { monitorOfPartKind, monitorRuleKind } from '../monitor-rule.ts';
import { nameProblem } from '../name.ts';
import { type AnyConfigObject, objectType, type ObjectOf } from '../object-type.ts';
import type { ScalarKind } from '../property.ts';
import { remembered, type ObjectContext } from '../remembered.ts';
import { cipherListKind, TLS_VERSIONS, warnOfOldTls } from '../tls-kinds.ts';
import { gtmDatacenter, PROBER_FALLBACKS, PROBER_POOL, PROBERS } from './gtm-datacenter.ts';

const DISCOVERIES = ['disabled', 'enabled', 'enabled-no-delete'] as const;

const TRANSLATION = { help: 'The address on the server itself, where another one is seen from outside.' };

const addressKind = address({ help: '' }).kind as ScalarKind<string>;

const deviceNameKind: ScalarKind<string> = {
  shape: 'scalar',
  name: 'device-name',
  expects: 'the name of a device',
  read(word) {
    const problem = nameProblem(word);
    return problem === undefined ? { value: word } : { problem: `must be the name of a device: ${problem}` };
  },
  print: (value) => value,
};

/** `none`, or an address; a device writes the word out. */
const translationKind: ScalarKind<string> = {
  ...addressKind,
  expects: 'an IP address or none',
  words: ['none'],
  read: (word, folder) => (word === 'none' ? { value: word } : addressKind.read(word, folder)),
};

export const gtmServer = objectType({
  path: 'gtm server',
  label: 'Server',
  runBy: 'dnsd',
  readBy: ['healthd', 'iqueryd'],
  help: 'A machine with virtual servers, whose addresses wide IPs answer.',
  example: `
gtm datacenter east { }
gtm server web {
    datacenter east
    devices {
        web {
            addresses {
                192.0.2.1 { }
            }
        }
    }
    product generic-host
    virtual-servers {
        http {
            destination 192.0.2.80:80
        }
        https {
            depends-on {
                web:http { }
            }
            destination 192.0.2.80:443
            limit-max-connections 1000
            limit-max-connections-status enabled
        }
    }
}
`,
  naming: 'full-path',
  nameProblem: serverNameProblem,
  sync: 'gtm',
  properties: {
    addresses: recordsByPattern(
      addressKind,
      {
        'device-name': string({ help: 'The device that has the address.' }),
        translation: pattern(translationKind, { default: 'none', ...TRANSLATION }),
      },
      { default: {}, help: 'Addresses of the server, as versions before devices wrote them.' },
    ),
    datacenter: reference([gtmDatacenter], { required: true, help: 'Where it stands.' }),
    description: string({ help: 'Text for people.' }),
    devices: recordsByPattern(
      deviceNameKind,
      {
        addresses: recordsByPattern(
          addressKind,
          { translation: pattern(translationKind, { default: 'none', ...TRANSLATION }) },
          { default: {}, help: 'Addresses of the device.' },
        ),
        description: string({ help: 'Text for people.' }),
      },
      { default: {}, help: 'The machines that it is made of: one, or those of a redundant system.' },
    ),
    enabled: flag('enabled', 'disabled', { default: true, help: 'Whether its virtual servers are used.' }),
    'expose-route-domains': yesNo({
      default: false,
      help: 'Whether discovery finds virtual servers of all route domains.',
    }),
    'icontrol-interval': integer(
      { min: 1, max: 3600 },
      { default: 10, help: 'Seconds between two questions to its iControl REST.', extension: true },
    ),
    'icontrol-password': password({ help: 'The password that goes with icontrol-user.', extension: true }),
    'icontrol-port': integer(
      { min: 1, max: 65_535 },
      { default: 443, help: 'The TCP port of its iControl REST.', extension: true },
    ),
    'icontrol-user': string({
      help: 'A user of a BIG-IP: its state and load are read from iControl REST, because its iQuery cannot be.',
      extension: true,
    }),
    'iq-allow-path': yesNo({ default: true, help: 'Whether it may probe paths to clients.' }),
    'iq-allow-service-check': yesNo({ default: true, help: 'Whether it may probe services for others.' }),
    'iq-allow-snmp': yesNo({ default: true, help: 'Whether it may probe by SNMP.', inert: true }),
    'iquery-cipher-list': pattern(cipherListKind, {
      help: 'Ciphers of iQuery with it; absent: those of gtm global-settings general.',
    }),
    'iquery-minimum-tls-version': choice(TLS_VERSIONS, {
      help: 'The oldest TLS that iQuery speaks with it; absent: that of gtm global-settings general.',
    }),
    ...SERVER_LIMITS,
    ...LIMITS,
    'link-discovery': choice(DISCOVERIES, { default: 'disabled', help: 'Whether its links are found.', inert: true }),
    monitor: pattern(monitorRuleKind('gtm'), { help: 'What watches it, and virtual servers that say nothing else.' }),
    'prober-fallback': choice(['inherit', ...PROBER_FALLBACKS], {
      default: 'inherit',
      help: 'Who probes it where those of prober-preference cannot.',
    }),
    'prober-pool': reference([PROBER_POOL], { help: 'The prober pool.' }),
    'prober-preference': choice(['inherit', ...PROBERS], { default: 'inherit', help: 'Who probes it.' }),
    product: choice(['bigip', 'generic-host'], { default: 'bigip', help: 'What it is.' }),
    'virtual-server-discovery': choice(DISCOVERIES, {
      default: 'disabled',
      help: 'Whether its virtual servers are found; enabled also removes those that it has no more.',
    }),
    'virtual-servers': recordsByPattern(
      virtualServerNameKind,
      {
        'depends-on': recordsByPattern(
          dependencyKind,
          {},
          { default: {}, help: 'Virtual servers without which it is not available.' },
        ),
        description: string({ help: 'Text for people.' }),
        destination: pattern(destinationKind, {
          required: true,
          help: 'Its address, which is answered, and its port.',
        }),
        enabled: flag('enabled', 'disabled', { default: true, help: 'Whether it is used.' }),
        'explicit-link-name': string({ help: 'The link that it is reached by.', inert: true }),
        ...LIMITS,
        'ltm-name': string({ help: 'What the virtual server is called on the device; discovery writes it.' }),
        monitor: pattern(monitorOfPartKind('gtm'), {
          default: 'default',
          help: 'What watches it: default, that of the server.',
        }),
        'translation-address': pattern(translationKind, { default: 'none', ...TRANSLATION }),
        'translation-port': integer({ min: 0, max: 65_535 }, { default: 0, help: 'The port that belongs to it.' }),
      },
      { default: {}, help: 'The virtual servers.' },
    ),
  },
  check(objects, context) {
    for (const object of objects) checkServer(object, context);
  },
});

export type GtmServer = ObjectOf<typeof gtmServer>;

const checkServer = remembered((object: GtmServer, context) => {
  const { addresses, devices, 'virtual-servers': virtualServers } = object.properties;
  const what = `Server (${object.name})`;
  if (Object.keys(addresses).length === 0 && Object.values(devices).every((device) => isEmpty(device.addresses))) {
    const hint = 'Write devices { NAME { addresses { ADDRESS { } } } }.';
    context.error(object, `${what} has no address.`, { property: 'devices', hint });
  }
  const { 'icontrol-user': user, 'icontrol-password': secret, product } = object.properties;
  if ((user === undefined) !== (secret === undefined)) {
    const property = user === undefined ? 'icontrol-user' : 'icontrol-password';
    context.error(object, `${what} must have a value for ${property}.`, {
      ...{ code: 'missingProperty', property },
      hint: 'iControl REST is asked with icontrol-user and icontrol-password together.',
    });
  }
  if (user !== undefined && product !== 'bigip') {
    context.warn(object, `${what}: icontrol-user has no effect, because the product is ${product}.`, {
      property: 'icontrol-user',
    });
  }
  for (const [name, virtualServer] of Object.entries(virtualServers)) {
    if ((virtualServer.destination as string | undefined) === undefined) {
      const text = `${what}: virtual server ${name} must have a value for destination.`;
      const hint = `Add destination: ${destinationKind.expects}.`;
      context.error(object, text, { code: 'missingProperty', property: 'virtual-servers', value: name, hint });
    }
    for (const key of Object.keys(virtualServer['depends-on'])) {
      checkDependency(object, `virtual server ${name}`, 'virtual-servers', key, context);
    }
  }
  const oldest = object.properties['iquery-minimum-tls-version'];
  if (oldest !== undefined) warnOfOldTls(object, oldest, context);
  checkServerMonitors(object, context);
});

function isEmpty(records: object): boolean {
  return Object.keys(records).length === 0;
}

/** Whether a virtual server is there on which `user`, a part of the object, depends. A server that is not there is no reference. */
export function checkDependency(
  object: AnyConfigObject,
  user: string,
  property: string,
  key: string,
  context: ObjectContext,
): void {
  if (!isDependency(key)) {
    context.warn(
      object,
      `${user} of ${object.type} ${object.name} depends on ${key}, which is nothing: without effect.`,
      {
        property,
        value: key,
      },
    );
    return;
  }
  const { server: serverName, virtualServer } = splitVirtualServerKey(key);
  const server = context.find(gtmServer, serverName);
  if (server === undefined || server.properties['virtual-servers'][virtualServer] !== undefined) return;
  context.error(
    object,
    `The requested virtual server (${virtualServer}) was not found on Server (${serverName}): ${user} of ${object.type} ${object.name} needs it.`,
    {
      code: 'notFound',
      property,
      value: key,
      hint: `list gtm server ${serverName} virtual-servers shows those that exist.`,
    },
  );
}
