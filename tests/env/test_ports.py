"""Tests of the ports that servers of tests get."""

import socket
import unittest

import ports


class Ports(unittest.TestCase):
    def test_they_differ_and_lie_below_those_of_outgoing_connections(self):
        given = [ports.free_port() for _ in range(50)]
        self.assertEqual(len(set(given)), len(given))
        self.assertTrue(set(given) <= set(ports.PORTS))

    def test_one_that_is_taken_is_not_given(self):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            taken = ports.free_port()
            with socket.socket(type=kind) as listener:
                listener.bind(("127.0.0.1", taken))
                self.assertNotIn(taken, [ports.free_port() for _ in ports.PORTS])


if __name__ == "__main__":
    unittest.main()
