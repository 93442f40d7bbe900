// `net fdb vlan`: the static forwarding database of one VLAN. It comes and goes with the VLAN.

import { isGroupMac, parseMac } from '../../core/mac.ts';
import { checkTable } from '../check-table.ts';
import { recordsByMac, reference, string } from '../kinds.ts';
import { objectType } from '../object-type.ts';
import { emptyTable } from '../record-table.ts';
import { netInterface } from './net-interface.ts';
import { netVlan } from './net-vlan.ts';

export const netFdbVlan = objectType({
  path: 'net fdb vlan',
  label: 'VLAN FDB',
  help: 'The static forwarding database of one VLAN: MAC addresses and the interfaces that they live behind.',
  example: `
net interface 1.1 {
    device eth1
}
net vlan servers {
    interfaces {
        1.1 { }
    }
    tag 100
}
net fdb vlan servers {
    records {
        02:00:5e:10:00:07 {
            interface 1.1
        }
    }
}
`,
  naming: 'full-path',
  sync: 'local',
  companionOf: [netVlan],
  properties: {
    description: string({ help: 'Text for people.' }),
    records: recordsByMac(
      {
        description: string({ help: 'Text for people.' }),
        interface: reference([netInterface], { help: 'The interface that this MAC address lives behind.' }),
        trunk: string({ help: 'The trunk that this MAC address lives behind.' }),
      },
      { default: emptyTable(), help: 'MAC addresses and where they live.' },
    ),
  },
  check(objects, context) {
    for (const object of objects) {
      const vlan = context.find(netVlan, object.name);
      const report = (mac: string, property: string, value: string, text: string, hint: string): void =>
        context.error(object, `VLAN FDB (${object.name}): record ${mac}: ${text}`, { property, value, hint });
      checkTable(object.properties.records, report, (mac, record, refuse) => {
        if (isGroupMac(parseMac(mac)!)) {
          refuse('records', mac, 'is a group address.', 'Name the MAC address of one station.');
        }
        if (record.trunk !== undefined) {
          refuse('trunk', record.trunk, `trunk ${record.trunk} was not found.`, 'Name an interface: interface 1.1');
        } else if (record.interface === undefined) {
          refuse('interface', mac, 'has no interface.', 'Write interface NAME.');
        } else if (vlan !== undefined && vlan.properties.interfaces[record.interface] === undefined) {
          const text = `interface ${record.interface} is none of VLAN (${object.name}).`;
          refuse(
            'interface',
            record.interface,
            text,
            `modify net vlan ${object.name} interfaces add { ${record.interface} }`,
          );
        }
      });
    }
  },
});
