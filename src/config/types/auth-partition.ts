// `auth partition`: the top of a tree of folders. Partition `test` and folder `/test` are one thing by two names.
//
// Not there: who may see which partition. Everybody who can talk to configd may see and change all of them.

import { MAX_ROUTE_DOMAIN } from '../../core/address.ts';
import { integer, string } from '../kinds.ts';
import { nameProblem } from '../name.ts';
import { objectType, type ObjectOf } from '../object-type.ts';
import { DEFAULT_ROUTE_DOMAIN, netRouteDomain, refuseRouteDomain } from './net-route-domain.ts';

export const authPartition = objectType({
  path: 'auth partition',
  label: 'partition',
  help: 'The top of a tree of folders: partition test is the folder /test, and holds the objects /test/….',
  example: `
auth partition tenant-7 {
    default-route-domain 7
}
net vlan /tenant-7/inside {
    tag 700
}
net route-domain /tenant-7/7 {
    id 7
    vlans {
        /tenant-7/inside
    }
}
net self /tenant-7/inside-self {
    address 10.7.1.1/24
    vlan /tenant-7/inside
}
`,
  naming: 'plain',
  sync: 'device-group',
  builtIn: { Common: {} },
  nameProblem: (name) => (name.includes('/') ? 'a partition lies in no other one' : nameProblem(name)),
  twin: { type: 'sys folder', nameOf: (name) => `/${name}` },
  properties: {
    'default-route-domain': integer(
      { min: 0, max: MAX_ROUTE_DOMAIN },
      {
        default: DEFAULT_ROUTE_DOMAIN,
        help: 'The route domain of addresses that are written without % in objects of the partition; those that are there already stay where they are.',
      },
    ),
    description: string({ help: 'Text for people.' }),
  },
  check(objects, context) {
    const ids = new Set(context.all(netRouteDomain).map(({ properties }) => properties.id));
    for (const object of objects) {
      const id = object.properties['default-route-domain'];
      if (ids.has(id)) continue;
      const gone = context.gone(netRouteDomain).find(({ properties }) => properties.id === id);
      if (gone === undefined) {
        refuseRouteDomain(object, 'default-route-domain', id, context);
        continue;
      }
      const text = `The specified route domain (${id}) is the default route domain for one or more partitions (${object.name}) and cannot be deleted.`;
      context.error(gone, text, {
        property: 'id',
        value: String(id),
        hint: `Give the partition another one first: modify auth partition ${object.name} default-route-domain 0`,
        code: 'defaultRouteDomain',
      });
    }
  },
});

export type Partition = ObjectOf<typeof authPartition>;
