import { createContext, useContext } from 'react';

/**
 * Whether the panel around is on the screen; outside of panels: always. One behind another tab stays mounted, so that
 * what it keeps is there when one comes back; meanwhile it asks the lab for nothing and draws nothing.
 */
export const Shown = createContext(true);

export function useShown(): boolean {
  return useContext(Shown);
}
