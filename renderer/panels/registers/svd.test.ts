import { describe, expect, test } from 'vitest';
import { parseSvd, SvdError } from './svd.ts';

const svd = (registers: string, more = '') => `<?xml version="1.0" encoding="utf-8"?>
<device schemaVersion="1.3">
  <name>Card</name>
  <size>32</size>
  <peripherals>
    <peripheral>
      <name>DMA</name>
      <description>Copies
        bytes</description>
      <baseAddress>0x40000000</baseAddress>
      <registers>
${registers}
      </registers>
    </peripheral>
${more}
  </peripherals>
</device>
`;
const control = `<register>
  <name>CTRL</name><description>Control</description><addressOffset>0x10</addressOffset>
  <resetValue>0x80</resetValue>
  <fields>
    <field><name>EN</name><bitOffset>0</bitOffset><access>read-write</access></field>
    <field><name>MODE</name><bitRange>[3:1]</bitRange>
      <enumeratedValues>
        <enumeratedValue><name>idle</name><value>0</value></enumeratedValue>
        <enumeratedValue><name>fast</name><value>#1xx</value></enumeratedValue>
      </enumeratedValues>
    </field>
    <field><name>ID</name><lsb>8</lsb><msb>15</msb><access>read-only</access></field>
    <field><name>DONE</name><bitOffset>16</bitOffset><modifiedWriteValues>oneToClear</modifiedWriteValues></field>
  </fields>
</register>`;

describe('a description', () => {
  test('has registers, fields, names of values and access', async () => {
    const device = await parseSvd(svd(control));
    expect(device.name).toBe('Card');
    expect(device.peripherals[0]).toMatchObject({ name: 'DMA', description: 'Copies bytes' });
    expect(device.peripherals[0]!.registers).toEqual([
      {
        name: 'CTRL',
        title: 'Control',
        offset: 0x10,
        width: 4,
        reset: '0x80',
        writable: '0xf',
        writeOneToClear: '0x10000',
        fields: [
          { name: 'EN', lsb: 0, width: 1 },
          {
            name: 'MODE',
            lsb: 1,
            width: 3,
            values: { 0: 'idle', 4: 'fast', 5: 'fast', 6: 'fast', 7: 'fast' },
          },
          { name: 'ID', lsb: 8, width: 8 },
          { name: 'DONE', lsb: 16, width: 1 },
        ],
      },
    ]);
  });

  test('unrolls arrays and clusters, and takes what it is derived from', async () => {
    const device = await parseSvd(
      svd(
        `<cluster><dim>2</dim><dimIncrement>0x20</dimIncrement><name>CH[%s]</name><addressOffset>0x100</addressOffset>
           <register><name>SRC</name><size>64</size><addressOffset>0</addressOffset><access>write-only</access></register>
           <register derivedFrom="SRC"><name>DST</name><addressOffset>8</addressOffset></register>
         </cluster>
         <register><dim>3</dim><dimIncrement>4</dimIncrement><dimIndex>A,B,C</dimIndex><name>BUF%s</name><addressOffset>0</addressOffset><access>read-only</access></register>`,
        '<peripheral derivedFrom="DMA"><name>DMA2</name><baseAddress>0x5</baseAddress></peripheral>',
      ),
    );
    const shown = device.peripherals.map(({ name, registers }) => [
      name,
      registers.map(
        (one) => `${one.name}@${one.offset.toString(16)}:${one.width}${one.writable === '0x0' ? ' ro' : ''}`,
      ),
    ]);
    const all = [
      'BUFA@0:4 ro',
      'BUFB@4:4 ro',
      'BUFC@8:4 ro',
      'CH0_SRC@100:8',
      'CH0_DST@108:8',
      'CH1_SRC@120:8',
      'CH1_DST@128:8',
    ];
    expect(shown).toEqual([
      ['DMA', all],
      ['DMA2', all],
    ]);
  });
});

describe('what is wrong is said with its line', () => {
  const at = async (text: string): Promise<[number, string]> => {
    try {
      await parseSvd(text);
    } catch (error) {
      if (error instanceof SvdError) return [error.line, error.message];
      throw error;
    }
    throw new Error('it was accepted');
  };

  test.each([
    ['an unclosed element', svd(control).replace('</fields>', ''), 26, /unexpected close tag|closed/],
    ['nothing', '', 1, /document must contain a root element|empty/],
    ['another kind of file', '<html></html>', 1, /<html> is no CMSIS-SVD file/],
    ['no XML', '{"name": "card"}', 1, /text data outside of root/],
    ['a number that is none', svd(control.replace('0x10', 'ten')), 13, /<addressOffset> holds "ten"/],
    ['no offset', svd('<register><name>A</name></register>'), 12, /no <addressOffset>/],
    ['no name', svd('<register><addressOffset>0</addressOffset></register>'), 12, /no <name>/],
    ['a field outside', svd(control.replace('<msb>15', '<msb>40')), 23, /bits 40:8, and CTRL has 32/],
    [
      'an odd size',
      svd('<register><name>A</name><size>24</size><addressOffset>0</addressOffset></register>'),
      12,
      /24 bits/,
    ],
    [
      'an access',
      svd(control.replace('<resetValue>', '<access>maybe</access><resetValue>')),
      14,
      /"maybe"; accepted/,
    ],
    [
      'a base that is not there',
      svd('<register derivedFrom="X"><name>A</name></register>'),
      12,
      /"X", which is not there/,
    ],
    ['an entity', svd(control.replace('Control', '&control;')), 13, /undefined entity|disallowed/i],
  ])('%s', async (_, text, line, message) => {
    const [where, said] = await at(text);
    expect(said).toMatch(message);
    expect(where).toBe(line);
  });
});
