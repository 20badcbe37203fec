/*
 * call_scan.h
 *
 * Calls of operations in FROM.
 */
#ifndef FCFS_CALL_SCAN_H
#define FCFS_CALL_SCAN_H

extern void call_scan_init(void);

#endif /* FCFS_CALL_SCAN_H */
