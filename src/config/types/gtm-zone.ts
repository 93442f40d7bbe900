// `gtm zone`: a zone that is answered from here, its records in the configuration or in a master file.

import { checkZoneRecords } from '../check-zones.ts';
import { flag, integer, pattern, patternList, recordsByPattern, string } from '../kinds.ts';
import { objectType, type ObjectOf } from '../object-type.ts';
import { originOf, readRecordKey } from '../zone-names.ts';

/** RFC 2181, section 8. */
const MAX_TTL = 0x7fff_ffff;

export const gtmZone = objectType({
  path: 'gtm zone',
  label: 'Zone',
  runBy: 'dnsd',
  help: 'A zone that is answered from here. Its name is that of the object.',
  example: `
gtm zone example.com {
    records {
        @/ns {
            data {
                ns1
            }
        }
        @/soa {
            data {
                "ns1 hostmaster 1 7200 600 1209600 300"
            }
        }
        ns1/a {
            data {
                192.0.2.53
            }
        }
        www/a {
            data {
                192.0.2.80
                192.0.2.81
            }
            ttl 60
        }
    }
}
`,
  naming: 'full-path',
  sync: 'gtm',
  extension: true,
  properties: {
    'default-ttl': integer({ min: 0, max: MAX_TTL }, { default: 3600, help: 'Seconds, of records that say none.' }),
    description: string({ help: 'Text for people.' }),
    enabled: flag('enabled', 'disabled', { default: true, help: 'Whether the zone is answered.' }),
    file: pattern(
      {
        name: 'file',
        expects: 'a path of a master file',
        read: (word) =>
          word === '' || word.includes('\0') || word.endsWith('/')
            ? { problem: 'must be the path of a file' }
            : { value: word },
      },
      {
        help: 'A master file (RFC 1035, section 5) with the records, instead of records; a path that does not begin with a slash starts in the zone directory.',
      },
    ),
    records: recordsByPattern(
      { name: 'record', expects: 'an owner and a type, as in www/a', read: readRecordKey, print: (value) => value },
      {
        data: patternList(
          { name: 'record-data', expects: 'the data of a record', read: (word) => ({ value: word }) },
          {
            default: [],
            help: 'Of each record the data, as a master file has it: "10 mail". Texts keep their quotes.',
          },
        ),
        ttl: integer({ min: 0, max: MAX_TTL }, { help: 'Seconds that the records may be kept for.' }),
      },
      {
        default: {},
        help: 'Records by owner and type. Names without a dot at their end stand below the zone; @ is the zone itself.',
      },
    ),
    view: string({ default: 'external', help: 'The view of BIND that the zone is in.', inert: true }),
  },
  check(objects, context) {
    const byOrigin = new Map<string, string>();
    for (const object of objects) {
      const { file, records, enabled } = object.properties;
      const origin = originOf(object.name);
      if (typeof origin === 'string') {
        const hint = 'The last part of the name is that of the zone, as in example.com.';
        context.error(object, `Zone (${object.name}): ${origin}.`, { value: object.name, hint });
        continue;
      }
      const hasRecords = Object.keys(records).length > 0;
      if (hasRecords === (file !== undefined)) {
        const what = hasRecords ? 'has records and a file; it takes one of them' : 'has neither records nor a file';
        const hint = hasRecords
          ? 'Write file none, or records none.'
          : `It needs an SOA and an NS at least: records { @/soa { data { "ns1 hostmaster 1 7200 600 1209600 300" } } … }, or file PATH.`;
        context.error(object, `Zone (${object.name}) ${what}.`, { property: 'records', hint });
        continue;
      }
      if (hasRecords) checkZoneRecords(object, context);
      if (!enabled) continue;
      const twin = byOrigin.get(origin.text);
      if (twin === undefined) {
        byOrigin.set(origin.text, object.name);
        continue;
      }
      context.error(object, `Zone (${object.name}): zone (${twin}) answers ${origin.text} already.`, {
        value: object.name,
        hint: 'Disable one of the two, or delete it.',
      });
    }
  },
});

export type GtmZone = ObjectOf<typeof gtmZone>;
