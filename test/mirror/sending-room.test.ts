import { describe, expect, test } from 'vitest';
import { SendingRoom } from '../../src/mirror/sending-room.ts';

function full(): SendingRoom {
  const room = new SendingRoom();
  while (room.freePlaces > 0) room.enter(`a/${room.size}`, 0);
  return room;
}

describe('the room for what is read or sent', () => {
  test('who was read in it keeps its place when it is to be sent, though the room is full', () => {
    const room = full();
    expect(room.enter('a/0', 0)).toBe(true);
    expect(room.enter('a/late', 0)).toBe(false);
  });

  test('a higher priority finds a place in a full room, an equal one does not', () => {
    const room = full();
    expect(room.enter('batch/urgent', 10)).toBe(true);
    expect(room.enter('a/late', 0)).toBe(false);
  });

  test('a place that was left is free', () => {
    const room = full();
    room.leave('a/0');
    expect(room.freePlaces).toBe(1);
    expect(room.enter('a/late', 0)).toBe(true);
  });
});
