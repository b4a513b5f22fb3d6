import { expect, it } from 'vitest';
import { AccessPlaces, CONFIG_PLACE, NO_PLACE, placeOf } from './access-places.ts';

it('tells where an access went, until another takes its place', () => {
  const places = new AccessPlaces();
  places.note(17, 2, 0x1008);
  places.note(18, CONFIG_PLACE, 4);
  expect(placeOf(places.of(17))).toEqual({ bar: 2, offset: 0x1008 });
  expect(placeOf(places.of(18))).toEqual({ bar: 'config', offset: 4 });
  places.note(17 + 4096, 0, 0);
  expect(places.of(17)).toBe(NO_PLACE);
  expect(placeOf(places.of(17 + 4096))).toEqual({ bar: 0, offset: 0 });
});

it('has none for no access, and for one that never was', () => {
  const places = new AccessPlaces();
  expect(places.of(0)).toBe(NO_PLACE);
  expect(placeOf(places.of(5))).toBeUndefined();
});
