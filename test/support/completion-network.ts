// What tests of completion have in common: a configuration with something of everything, and the parser's word against
// what completion offers.

import { ConfigError, ConfigSyntaxError } from '../../src/core/errors.ts';
import type { Completion } from '../../src/tmsh/completion.ts';
import { TmshSession } from './tmsh-session.ts';

export const VALUES = [
  '7',
  '1500',
  '10.1.1.7',
  '10.3.0.0/16',
  '02:00:00:00:00:09',
  'fresh',
  'own',
  '"some text"',
  'tcp:443',
  'www/a',
  '192.0.2.7:80',
  'web:http',
  '/Common/fresh',
  'US',
  'US/Washington',
];

export async function network(): Promise<TmshSession> {
  const session = new TmshSession();
  session.replies = [{ rows: [] }];
  session.files.set('own', '');
  await session.run(
    'create net interface 1.1 { device eth1 }',
    'create net interface 1.2 { device eth2 }',
    'create net vlan wan { interfaces add { 1.1 } }',
    'create auth partition Other',
    'create net vlan /Other/inside { interfaces add { 1.2 { tagged } } tag 7 }',
    'create net self s1 { address 10.1.1.1/24 vlan wan allow-service { tcp:22 } }',
    'create net tunnels vxlan p { defaults-from vxlan port 5000 }',
    'create net tunnels tunnel t1 { local-address 10.1.1.1 remote-address any profile vxlan-multipoint key 3 }',
    'modify net fdb tunnel t1 records add { 02:00:00:00:00:01 { endpoint 10.1.1.5 } }',
    'create net vlan-group g { members { /Other/inside t1 } }',
    'create gtm datacenter east',
    'create gtm server web { datacenter east devices { web { addresses { 192.0.2.1 } } } virtual-servers { http { destination 192.0.2.1:80 } } }',
    'create gtm pool a p { members { web:http } }',
    'create gtm wideip a www.example.com { pools { p } last-resort-pool a p }',
    'create gtm region near { region-members { subnet 192.0.2.0/24 not country US } }',
    'create gtm topology ldns: region near server: pool p',
  );
  return session;
}

/** What can be typed next: offers, and values that the engine lets pass. */
export function choices(text: string, found: Completion, complete: (text: string) => Completion): string[] {
  const words = found.groups.flatMap(({ offers }) => offers.map((offer) => offer.text));
  // Text may be anything to completion, though not to each verb.
  // Where nothing can be named yet, any name is one that is not there.
  if (found.values.every(({ expects, help }) => expects === 'text' || help === 'There is none yet.')) return words;
  return [...words, ...VALUES.filter((value) => complete(`${text}${value} `).problem === undefined)];
}

/** What the parser says against the last word; undefined: nothing, or only that something is still missing. */
export async function complaint(session: TmshSession, text: string, start: number): Promise<string | undefined> {
  try {
    await session.run(text);
  } catch (error) {
    if (error instanceof ConfigSyntaxError) {
      const column = error.details.position!.column - 1;
      return error.message.includes('unexpected argument') && column <= start ? error.message : undefined;
    }
    // A value that cannot be read, or an object that is not there.
    if (error instanceof ConfigError && error.details.position?.column === start + 1) {
      const isTaken = error.code === 'alreadyExists' || error.code === 'missingProperty' || error.code === 'inUse';
      return isTaken || error.code === 'protectedObject' ? undefined : error.message;
    }
  }
  return undefined;
}
