"""The environment of these tests: torch is there, a network is not."""

import socket

import pytest
import torch
from pytest_socket import SocketBlockedError


def test_torch_computes() -> None:
    assert torch.ones(2, 2).sum().item() == 4


def test_nothing_reaches_a_network() -> None:
    with pytest.raises(SocketBlockedError):
        socket.create_connection(("127.0.0.1", 9))
