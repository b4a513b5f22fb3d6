// SPDX-License-Identifier: MIT
// Eventfds that end a wait. They are lent, not closed: another thread may hold the number of one and write to it
// after its device has gone, and a closed number could by then be a file that it must not write to. A late write to
// a lent one only ends some wait early.
#pragma once

namespace pciem {

// An eventfd with nothing pending, or -1 with errno set.
int BorrowWakeFd();
void ReturnWakeFd(int fd);
// Forgets writes so far.
void DrainWakeFd(int fd);

}  // namespace pciem
