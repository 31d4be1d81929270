"""A release, the head over it, and the release over the head: all that was stored is read each time. Then it goes."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from darkroom_client import Darkroom
from infra import deploy_role, deploying, releases
from local import parts, stack
from local.home import ROOT, Home
from tests.infra.conftest import this_machine
from tests.release.everything import fill, lost, read, resources

MACHINE = [word for name, value in this_machine().items() for word in ("-c", f"{name}={value}")]


def python_path(tree: Path) -> str:
    """Where Python finds the packages of a copy of the project, before those that are installed."""
    folders = ("", "shared", "client/src", "cli/src", "bridge/src", "extension")
    return os.pathsep.join(str(tree / folder) for folder in folders)


@dataclass
class World:
    """An account of its own on this machine, and a copy of the last release beside this checkout."""

    home: Home
    release: Path

    def up(self, tree: Path, level: str) -> None:
        """Deploy a copy of the project over what is there, and start it. The log level makes two deploys of the same
        sources differ."""
        environment = {**os.environ, "DARKROOM_HOME": str(self.home.path), "DARKROOM_LOG_LEVEL": level}
        environment["PYTHONPATH"] = python_path(tree)
        done = subprocess.run(
            [sys.executable, "-m", "local", "up"],
            cwd=tree,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def started(self) -> None:
        """Start what no test before this one has started."""
        if not stack.running(self.home):
            self.up(ROOT, "INFO")

    def client(self) -> Darkroom:
        started = stack.running(self.home)
        assert started
        return Darkroom(started.api, self.home.key_file.read_text())

    def aws(self, service: str) -> Any:
        return self.session().client(service)

    def session(self) -> Any:
        """A session of boto3 whose clients speak with the local AWS."""
        os.environ.update(self.addresses())
        return boto3.session.Session("test", "test", region_name="us-east-1")

    def addresses(self) -> dict[str, str]:
        shared = parts.environment(self.home.read())
        return {name: value for name, value in shared.items() if name.startswith(("AWS_", "CDK_", "NO_PROXY"))}

    def operate(self, *arguments: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
        """Run `python -m infra.stage …` of this checkout."""
        done = subprocess.run(  # noqa: S603 - our own words
            [sys.executable, "-m", "infra.stage", *arguments],
            cwd=self.home.path,
            env={**parts.environment(self.home.read()), "PYTHONPATH": os.environ["PYTHONPATH"]},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0 or not check, done.stdout + done.stderr
        return done


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The last release, as git has it."""
    tree = tmp_path_factory.mktemp("release") / "tree"
    commit = releases.commit_of(releases.releases()[-1].commit)
    git = ["git", "-C", str(ROOT), "worktree"]
    subprocess.run([*git, "add", "--quiet", "--detach", str(tree), commit], check=True)  # noqa: S603 - our own words
    for installed in ("node_modules", "web/node_modules"):
        (tree / installed).symlink_to(ROOT / installed)
    yield tree
    subprocess.run([*git, "remove", "--force", str(tree)], check=True)  # noqa: S603 - our own words


@pytest.fixture(scope="module")
def world(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    os.environ["PYTHONPATH"] = python_path(ROOT)
    home = Home(tmp_path_factory.mktemp("darkroom"))
    yield World(home, release)
    stack.down(home)


def releases_of(world: World) -> set[str]:
    """The releases that the functions run: of the version that the alias of each names."""
    functions = world.aws("lambda")
    names = [one["FunctionName"] for one in functions.list_functions()["Functions"]]
    told = [functions.get_function_configuration(FunctionName=name, Qualifier="live") for name in names]
    return {one["Environment"]["Variables"]["DARKROOM_RELEASE"] for one in told}


@pytest.mark.timeout(1800)
def test_all_is_read_by_the_release_by_the_head_and_by_the_release_again(world: World) -> None:
    world.up(world.release, "INFO")
    with world.client() as client:
        jobs = fill(client)
        stored = read(client, jobs)
    (of_release,) = releases_of(world)

    world.up(ROOT, "WARNING")
    (of_head,) = releases_of(world)
    assert of_head != of_release
    with world.client() as client:
        assert lost(stored, read(client, jobs)) == []
        newer = [*jobs, *fill(client)]
        more = read(client, newer)

    # The functions go back by themselves, and the next deploy moves them on.
    told = world.operate("rollback", "local").stdout
    assert f"from {of_head} to {of_release}" in told
    assert "Routes, roles, queues, alarms, tables" in told
    assert releases_of(world) == {of_release}
    with world.client() as client:
        assert lost(stored, read(client, jobs)) == []

    world.up(world.release, "INFO")
    with world.client() as client:
        assert lost(more, read(client, newer)) == []
        fill(client)


@pytest.mark.timeout(900)
def test_the_role_that_deploys_cannot_become_more(world: World) -> None:
    """With real calls, under what the local stack enforces; tests/infra/test_deploy_role.py tries more."""
    world.started()
    deploy_role.make_policies(world.aws("cloudformation"))
    iam = world.aws("iam")
    policy, boundary = (
        f"arn:aws:iam::{parts.ACCOUNT}:policy/{name}" for name in (deploy_role.DEPLOY, deploying.BOUNDARY)
    )
    trust = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": parts.ACCOUNT}, "Action": "sts:AssumeRole"}],
    }
    text = json.dumps(trust)
    iam.create_role(RoleName="admin", AssumeRolePolicyDocument=text)
    iam.create_role(RoleName="deployer", AssumeRolePolicyDocument=text, PermissionsBoundary=policy)
    iam.attach_role_policy(RoleName="deployer", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    arn = f"arn:aws:iam::{parts.ACCOUNT}:role/deployer"
    given = world.aws("sts").assume_role(RoleArn=arn, RoleSessionName="deploy")["Credentials"]
    role = boto3.session.Session(
        given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"], region_name="us-east-1"
    )
    as_role = role.client("iam")
    everything = json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    )
    named = {"RoleName": "Darkroom-test-x"}

    # What a deploy does.
    as_role.create_role(**named, AssumeRolePolicyDocument=text, PermissionsBoundary=boundary)
    as_role.put_role_policy(**named, PolicyName="darkroom", PolicyDocument=everything)
    # What would make it more.
    other = {"RoleName": "Darkroom-test-y", "AssumeRolePolicyDocument": text}
    for ways in (
        lambda: as_role.create_role(**other),
        lambda: as_role.create_role(**other, PermissionsBoundary="arn:aws:iam::aws:policy/AdministratorAccess"),
        lambda: as_role.create_role(RoleName="mine", AssumeRolePolicyDocument=text, PermissionsBoundary=boundary),
        lambda: as_role.delete_role_permissions_boundary(**named),
        lambda: as_role.delete_role_permissions_boundary(RoleName="deployer"),
        lambda: as_role.put_role_permissions_boundary(
            **named, PermissionsBoundary="arn:aws:iam::aws:policy/AdministratorAccess"
        ),
        lambda: as_role.put_role_policy(RoleName="deployer", PolicyName="x", PolicyDocument=everything),
        lambda: as_role.attach_role_policy(**named, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess"),
        lambda: as_role.create_policy_version(PolicyArn=boundary, PolicyDocument=everything, SetAsDefault=True),
        lambda: as_role.create_policy_version(PolicyArn=policy, PolicyDocument=everything, SetAsDefault=True),
        lambda: as_role.update_assume_role_policy(RoleName="admin", PolicyDocument=text),
        lambda: as_role.create_user(UserName="mallory"),
        lambda: as_role.create_access_key(UserName="anna"),
        lambda: role.client("sts").assume_role(RoleArn=arn.replace("deployer", "admin"), RoleSessionName="trying"),
        lambda: role.client("secretsmanager").get_secret_value(SecretId="Admin-x"),
        lambda: role.client("dynamodb").scan(TableName="payroll"),
    ):
        with pytest.raises(ClientError, match=r"AccessDenied|not authorized"):
            ways()
    # A role that it made is bounded, whatever its policy says.
    bounded = world.aws("sts").assume_role(RoleArn=arn.replace("deployer", named["RoleName"]), RoleSessionName="trying")
    given = bounded["Credentials"]
    inside = boto3.session.Session(
        given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"], region_name="us-east-1"
    )
    with pytest.raises(ClientError, match=r"AccessDenied|not authorized"):
        inside.client("iam").create_role(RoleName="mine", AssumeRolePolicyDocument=text)
    _remove_roles(iam, world)


def _remove_roles(iam: Any, world: World) -> None:
    iam.delete_role_policy(RoleName="Darkroom-test-x", PolicyName="darkroom")
    iam.detach_role_policy(RoleName="deployer", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")
    for name in ("admin", "deployer", "Darkroom-test-x"):
        iam.delete_role(RoleName=name)
    world.aws("cloudformation").delete_stack(StackName=deploying.POLICIES)


@pytest.mark.timeout(900)
def test_a_stage_goes_and_leaves_nothing_but_the_cdks_own(world: World) -> None:
    world.started()
    assert [name for name in resources(world.aws) if "arkroom" in name]
    refused = world.operate("destroy", "local", check=False)
    assert (refused.returncode, "Nothing was removed." in refused.stdout) == (1, True)
    told = world.operate("destroy", "local", "--yes").stdout
    for words in ("endpoint darkroom-local-preview", "objects", "rows", "log groups", "alarms", "dollars a month"):
        assert words in told
    assert "Nothing of it is left." in told
    left = resources(world.aws)
    assert left == {name for name in left if "CDKToolkit" in name or "hnb659fds" in name or "alias/aws/" in name}
    assert world.operate("destroy", "local", "--yes", check=False).stdout.startswith("There is no stage local")


@pytest.mark.timeout(1200)
def test_what_a_stage_leaves_that_is_not_disposable_is_taken_over(world: World) -> None:
    world.started()
    world.operate("deploy", "prod", *MACHINE, "--output", str(world.home.folder("out")))
    outputs = stack_outputs(world)
    world.aws("s3").put_object(Bucket=outputs["PicturesBucket"], Key="jobs/x/output/0.png", Body=b"a picture")
    world.aws("dynamodb").put_item(TableName=outputs["JobsTable"], Item={"id": {"S": "x"}})

    told = world.operate("destroy", "prod", "--yes").stdout
    assert "stays" in told
    assert "not disposable" in told
    file = world.home.path / "retained-prod.json"
    kept = json.loads(file.read_text())
    assert outputs["JobsTable"] in kept.values()
    assert len(kept) == 8

    world.operate("take-over", "prod", str(file), *MACHINE)
    world.operate("deploy", "prod", *MACHINE, "--output", str(world.home.folder("out")))
    assert stack_outputs(world) == outputs
    found = world.aws("dynamodb").get_item(TableName=outputs["JobsTable"], Key={"id": {"S": "x"}})
    assert found["Item"] == {"id": {"S": "x"}}
    read_back = world.aws("s3").get_object(Bucket=outputs["PicturesBucket"], Key="jobs/x/output/0.png")
    assert read_back["Body"].read() == b"a picture"


def stack_outputs(world: World) -> dict[str, str]:
    (data,) = world.aws("cloudformation").describe_stacks(StackName="Darkroom-prod-data")["Stacks"]
    return {one["OutputKey"]: one["OutputValue"] for one in data["Outputs"] if not one.get("ExportName")}


def test_a_changed_projection_is_refused_before_anything_is_deployed(release: Path, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    ignore = shutil.ignore_patterns("node_modules", ".git", "__pycache__", "tests")
    shutil.copytree(release, tree, ignore=ignore, symlinks=True)
    tables = tree / "shared" / "darkroom" / "tables.py"
    changed = tables.read_text().replace('("owner", "endpoint")),', '("owner", "endpoint", "type")),')
    assert changed != tables.read_text()
    tables.write_text(changed)
    for name in ("app.py", "infra/releases.py", "infra/releases.json"):
        shutil.copyfile(ROOT / name, tree / name)
    done = subprocess.run(
        [sys.executable, "app.py"],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(tree), str(tree / "shared")])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Jobs, index open: projected were ['endpoint', 'owner'] and are ['endpoint', 'owner', 'type']" in done.stderr
    assert "How to roll out an index" in done.stderr
