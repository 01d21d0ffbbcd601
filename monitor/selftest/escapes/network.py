"""Ways to connect, to send and to listen."""

import os
import socket

from monitor.selftest.escapes.attempts import Targets, attempt, unsure


@attempt
def connect_elsewhere(t: Targets) -> None:
    with socket.socket() as s:
        s.connect(("127.0.0.1", t.other_port))


@attempt
def connect_with_the_first_data(t: Targets) -> None:
    with socket.socket() as s:
        s.sendto(b"words", 0x20000000, ("127.0.0.1", t.other_port))  # MSG_FASTOPEN


@attempt
def connect_with_the_first_message(t: Targets) -> None:
    with socket.socket() as s:
        s.sendmsg([b"words"], (), 0x20000000, ("127.0.0.1", t.other_port))


@unsure
def connect_by_several_paths(t: Targets) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262) as s:  # IPPROTO_MPTCP
        s.connect(("127.0.0.1", t.other_port))


@attempt
def datagram(t: Targets) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.sendto(b"words", ("127.0.0.1", t.udp_port))


@unsure
def raw_packet(t: Targets) -> None:
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()


@unsure
def packet_of_the_wire(t: Targets) -> None:
    socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()


@attempt
def routes(t: Targets) -> None:
    socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0).close()


@attempt
def local_socket_by_path(t: Targets) -> None:
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(t.stream)


@attempt
def local_socket_by_abstract_name(t: Targets) -> None:
    with socket.socket(socket.AF_UNIX) as s:
        s.connect("\0" + t.abstract)


@attempt
def local_datagram_from_a_pair(t: Targets) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, theirs:
        ours.sendto(b"words", t.datagram)


@attempt
def listen(t: Targets) -> None:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        s.listen()


@attempt
def listen_on_any_port(t: Targets) -> None:
    with socket.socket() as s:
        s.listen()


@attempt
def descriptor_as_a_gift(t: Targets) -> None:
    _, gifts, _, _ = socket.recv_fds(t.gift, 1, 1)
    os.write(gifts[0], b"words")
