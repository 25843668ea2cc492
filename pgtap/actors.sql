-- The actors of the tests. alice has a key of each scope of one organization, bob has keys of another, and a stranger has
-- none. All three use the API server's login. The operator has the login of the command line, the migrator the login of the
-- migrations. The dba is the superuser that runs the tests. ana is an analyst of alice's organization and ben of bob's;
-- a test creates them. This file runs once, on a migrated database. Each test rolls back its changes.
create schema test;
grant usage on schema test to public;
set search_path = tap, test;

create table test.key (
  actor text not null,
  scope text not null,
  claim text not null,
  organization_id uuid not null,
  id uuid not null,
  primary key (actor, scope)
);
grant select on test.key to public;

create table test.answer (
  name text primary key,
  answer api.answer
);
grant select, insert on test.answer to public;

insert into test.key (actor, scope, claim, organization_id, id)
select
  o.actor,
  s.scope,
  encode(sha256(t.key), 'hex'),
  o.organization_id,
  admin.create_key(o.organization_id, s.scope, sha256(sha256(t.key)))
from (
  select a.actor, admin.create_organization('The organization of ' || a.actor, 'test') as organization_id
  from (values ('alice'), ('bob')) as a (actor)
  offset 0
) as o
cross join (values ('read'), ('write'), ('admin')) as s (scope)
cross join lateral (select convert_to(format('the %s key of %s', s.scope, o.actor), 'UTF8') as key) as t;


-- Functions that choose the actor

create function test.act_with(claim text, scope text)
returns void language plpgsql volatile
as $$
begin
  reset session authorization;
  reset role;
  perform set_config('session_authorization', 'leads_api', true);
  perform auth.enter(act_with.claim, 'a-request', act_with.scope, false);
end $$;

comment on function test.act_with(text, text) is
  'Makes the session that of the API server with a claim, the SHA-256 of a key in hexadecimal digits. scope: the scope of '
  'the route.';

create function test.act_as(actor text, scope text default 'write')
returns void language plpgsql volatile
as $$
begin
  if act_as.actor in ('alice', 'bob') then
    perform test.act_with(test.claim(act_as.actor, act_as.scope), act_as.scope);
  elsif act_as.actor = 'stranger' then
    perform test.act_with(null, null);
  else
    reset session authorization;
    reset role;
    perform set_config('leads.key_digest', '', true);
    perform set_config('leads.request_id', '', true);
    if act_as.actor in ('operator', 'router', 'migrator') then
      perform set_config('session_authorization', 'leads_' || act_as.actor, true);
    elsif act_as.actor in ('ana', 'ben') then
      perform set_config('session_authorization', test.login(act_as.actor), true);
    elsif act_as.actor <> 'dba' then
      raise 'Who is %?', act_as.actor;
    end if;
  end if;
end $$;

comment on function test.act_as(text, text) is
  'Makes the session that of alice, bob, a stranger, ana, ben, the operator, the router, the migrator or the dba. scope: the scope of '
  'alice''s or bob''s key.';

create function test.act_inside(actor text, scope text default 'write')
returns void language plpgsql volatile
as $$
begin
  perform test.act_as(act_inside.actor, act_inside.scope);
  reset session authorization;
  set local role leads_exec;
end $$;

comment on function test.act_inside(text, text) is
  'From here on the test says what a function of the API might say by mistake: as leads_exec, with that actor''s '
  'claim.';


-- Functions that return ids

create function test.claim(actor text, scope text default 'write')
returns text language sql stable
begin atomic
  select k.claim from test.key as k where k.actor = claim.actor and k.scope = claim.scope;
end;

create function test.key_id(actor text, scope text default 'write')
returns uuid language sql stable
begin atomic
  select k.id from test.key as k where k.actor = key_id.actor and k.scope = key_id.scope;
end;

create function test.organization(actor text)
returns uuid language sql stable
begin atomic
  select k.organization_id from test.key as k where k.actor = organization.actor and k.scope = 'read';
end;

create function test.lead(email text)
returns uuid language sql stable security definer
begin atomic
  select l.id from app.lead as l where l.email = lead.email;
end;

comment on function test.lead(text) is 'The id of the lead with this e-mail address, in any organization.';

create function test.login(analyst text)
returns text language sql stable
begin atomic
  -- Logins belong to the cluster, where tests of other databases make theirs.
  select format('%s_%s', login.analyst, current_database());
end;

comment on function test.login(text) is 'The name of the login of ana or ben.';

create function test.bound_organization()
returns uuid language sql stable
begin atomic
  select auth.analyst_organization_id();
end;

comment on function test.bound_organization() is
  'auth.analyst_organization_id, which who may not use the schema can''t name.';

create function test.verifier()
returns text language sql immutable
begin atomic
  select 'SCRAM-SHA-256$4096:' || encode('salt', 'base64') || '$' || encode(sha256('stored'), 'base64') || ':'
    || encode(sha256('server'), 'base64');
end;

comment on function test.verifier() is 'A SCRAM verifier. No password belongs to it.';


-- Functions that act and assert

create function test.make_analyst(analyst text, expires_at timestamptz default null)
returns void language plpgsql volatile
as $$
begin
  perform test.act_as('migrator');
  perform admin.create_analyst(
    test.login(make_analyst.analyst),
    test.organization(case make_analyst.analyst when 'ana' then 'alice' else 'bob' end),
    test.verifier(),
    make_analyst.expires_at
  );
end $$;

comment on function test.make_analyst(text, timestamptz) is 'Creates ana in alice''s organization, or ben in bob''s, as the migrator.';

create function test.event_id(at timestamptz)
returns uuid language sql volatile
begin atomic
  select (
    lpad(to_hex((extract(epoch from event_id.at) * 1000)::bigint), 12, '0')
    || '7' || substr(replace(gen_random_uuid()::text, '-', ''), 14)
  )::uuid;
end;

comment on function test.event_id(timestamptz) is 'A UUID of version 7 with this time, for an event of this time.';

-- The years of the tests' events, and the last year, in which an event of 40 days ago may be.
select audit.create_partitions(y.year)
from (values (2020), (2025), (2026), (2100), (extract(year from now() at time zone 'UTC')::integer - 1)) as y (year);

create function test.move_lead(actor text, lead_id uuid, stage_left text, stage_entered text, at timestamptz)
returns void language plpgsql volatile
as $$
begin
  perform test.act_as('dba');
  insert into audit.event (id, organization_id, action, source, lead_id, payload, payload_digest, created_at)
  values (
    test.event_id(move_lead.at),
    test.organization(move_lead.actor),
    case
      when move_lead.stage_left is null then 'lead.created'
      when move_lead.stage_entered is null then 'lead.deleted'
      else 'lead.updated'
    end,
    'sql',
    move_lead.lead_id,
    json_build_object(
      'diff',
      json_build_object('pipeline_stage', json_build_object('from', move_lead.stage_left, 'to', move_lead.stage_entered))
    ),
    sha256(''),
    move_lead.at
  );
end $$;

comment on function test.move_lead(text, uuid, text, text, timestamptz) is
  'Writes an event into the log of alice''s or bob''s organization, as the dba: a lead changed its stage at this time. A null '
  'stage: the lead was created, or deleted.';

create function test.count_stages()
returns void language plpgsql volatile
as $$
begin
  perform test.act_as('dba');
  insert into audit.unsealed (organization_id, event_id)
  select e.organization_id, e.id
  from audit.event as e
  where not exists (select from audit.seal as s where s.organization_id = e.organization_id and s.event_id = e.id)
  on conflict do nothing;
  while exists (select from audit.unsealed) loop
    perform admin.seal_events(o.id) from (select null::uuid as id union select u.organization_id from audit.unsealed as u) as o;
  end loop;
  while exists (select from app.uncounted_seal) loop
    perform admin.count_stages(o.id) from (select null::uuid as id union select u.organization_id from app.uncounted_seal as u) as o;
  end loop;
end $$;

comment on function test.count_stages() is 'Seals all events and counts them, as the worker does, as the dba.';

create function test.made_lead(fields text)
returns text language sql volatile
begin atomic
  select (api.create_lead(made_lead.fields)).body::json ->> 'id';
end;

comment on function test.made_lead(text) is 'Creates a lead from the JSON as the present actor, and returns its id.';

create function test.keep(name text, answer api.answer)
returns void language plpgsql volatile
as $$
begin
  insert into test.answer (name, answer) values (keep.name, keep.answer);
end $$;

create function test.kept(name text)
returns api.answer language sql stable
begin atomic
  select a.answer from test.answer as a where a.name = kept.name;
end;

comment on function test.kept(text) is 'The answer that the test has stored under this name.';

create function test.faults(statement text)
returns text[] language plpgsql volatile
as $$
declare
  v_detail text;
begin
  execute faults.statement;
  return '{}';
exception
  when others then
    get stacked diagnostics v_detail = pg_exception_detail;
    if v_detail not like '[%' then
      raise;
    end if;
    return array(
      select e.field || ' ' || e.code
      from json_to_recordset(v_detail::json) as e (field text, code text)
      order by e.field collate "C", e.code collate "C"
    );
end $$;

comment on function test.faults(text) is
  'The errors of a statement: field and code of each entry in errors, sorted. Empty if the statement succeeds.';

create function test.hint(statement text)
returns text language plpgsql volatile
as $$
declare
  v_hint text;
begin
  execute hint.statement;
  return null;
exception
  when others then
    get stacked diagnostics v_hint = pg_exception_hint;
    return v_hint;
end $$;

comment on function test.hint(text) is 'The hint of the error that the statement raises.';

create function test.is_kept(rule text)
returns text language plpgsql volatile
as $$
begin
  return tap.is_empty(format('select * from %s', is_kept.rule), is_kept.rule || ': none');
end $$;

comment on function test.is_kept(text) is 'Asserts that a rule reports nothing. A rule is a view of the objects that break it.';

create function test.is_reported(rule text, fault text, finding text)
returns text language plpgsql volatile
as $$
declare
  v_query text := format('select array(select r.finding from %s as r)', is_reported.rule);
  v_before text[];
  v_found text[];
begin
  execute v_query into v_before;
  begin
    execute is_reported.fault;
    execute v_query into v_found;
    raise sqlstate 'UNDO0';
  exception
    when sqlstate 'UNDO0' then null;
  end;
  return tap.is(
    array(select unnest(v_found) except select unnest(v_before)),
    array[is_reported.finding],
    format('%s: finds %s', is_reported.rule, is_reported.finding)
  );
end $$;

comment on function test.is_reported(text, text, text) is
  'Creates a fault, asserts that the rule reports this fault and nothing else, and removes the fault.';


-- A CRM. A test that needs one creates the live organization "Acme". As the dba it does what a worker does

create function test.acme()
returns uuid language sql stable security definer
begin atomic
  select o.organization_id from app.organization as o where o.name = 'Acme';
end;

comment on function test.acme() is 'The id of the live organization that the test has created.';

create function test.sync(name text)
returns crm.sync_values language plpgsql stable security definer
as $$
declare
  v_sync crm.sync_values;
begin
  select s.* into v_sync
  from crm.sync as s
  join app.lead as l on l.organization_id = s.organization_id and l.id = s.lead_id
  where l.name = sync.name;
  return v_sync;
end $$;

comment on function test.sync(text) is 'The id of the push of the lead with this name.';

create function test.leased(batch integer default 64)
returns text[] language sql volatile
begin atomic
  select array(
    select j.contact ->> 'name'
    from crm.lease_syncs('{k}', leased.batch) as j
    order by j.contact ->> 'name' collate "C"
  );
end;

comment on function test.leased(integer) is 'Leases the pushes that are due, as a worker with the key k, and returns the names of the leads.';


-- Webhooks. A test creates the live organization "Acme" first. As the dba it does what a worker with the key k does

create function test.make_webhook(name text, include text default 'ids', actions text[] default null)
returns uuid language sql volatile
begin atomic
  insert into webhook.endpoint (organization_id, name, url, actions, include, position, secret, secret_key)
  values (
    test.acme(), make_webhook.name, 'https://' || make_webhook.name || '.example.com/hook?key=secret', make_webhook.actions,
    make_webhook.include,
    coalesce((select max(s.position) from audit.seal as s where s.organization_id = test.acme()), 0),
    convert_to('the secret of ' || make_webhook.name, 'UTF8'), 'k'
  )
  returning id;
end;

comment on function test.make_webhook(text, text, text[]) is 'Creates a webhook of Acme, and returns its id.';

create function test.webhook(name text)
returns uuid language sql stable security definer
begin atomic
  select p.id from webhook.endpoint as p where p.name = webhook.name;
end;

comment on function test.webhook(text) is 'The id of the webhook with this name, in any organization.';

create function test.queue_deliveries()
returns void language plpgsql volatile
as $$
begin
  perform test.act_as('dba');
  while exists (select from audit.unsealed) loop
    perform admin.seal_events(o.id) from (select null::uuid as id union select u.organization_id from audit.unsealed as u) as o;
  end loop;
  while exists (select from webhook.unqueued_batch) loop
    perform webhook.queue_deliveries(o.id)
    from (select null::uuid as id union select b.organization_id from webhook.unqueued_batch as b) as o;
  end loop;
end $$;

comment on function test.queue_deliveries() is 'Seals all events and queues their deliveries, as the worker does, as the dba.';

create function test.lease_deliveries(batch integer default 64, running jsonb default '{}')
returns table (webhook text, lead text, action text, attempt integer, delivery_id uuid, body jsonb)
language sql volatile
begin atomic
  select
    p.name,
    (select l.email from app.lead as l where l.organization_id = j.organization_id and l.id::text = j.body::json -> 'data' ->> 'lead_id'),
    j.body::json ->> 'type', j.attempt, j.delivery_id, j.body::jsonb
  from webhook.lease_deliveries('{k}', lease_deliveries.batch, lease_deliveries.running) as j
  join webhook.endpoint as p on p.organization_id = j.organization_id and p.id = j.endpoint_id;
end;

comment on function test.lease_deliveries(integer, jsonb) is 'Leases deliveries: the name of the webhook, the address of the lead, and the rest.';

create function test.settle_deliveries(outcome text, batch integer default 64)
returns text[] language sql volatile
begin atomic
  select array(
    select webhook.settle_delivery(test.acme(), j.delivery_id, j.attempt, settle_deliveries.outcome, 500, 'a message')
    from webhook.lease_deliveries('{k}', settle_deliveries.batch) as j
  );
end;

comment on function test.settle_deliveries(text, integer) is
  'Leases deliveries, and settles them all with the outcome. Returns their states.';

create function test.age_deliveries(elapsed interval)
returns void language plpgsql volatile
as $$
begin
  update webhook.delivery as d
  set
    begun_at = d.begun_at - age_deliveries.elapsed,
    next_attempt_at = d.next_attempt_at - age_deliveries.elapsed,
    leased_until = d.leased_until - age_deliveries.elapsed,
    ended_at = d.ended_at - age_deliveries.elapsed;
  update webhook.endpoint as p
  set
    failing_since = p.failing_since - age_deliveries.elapsed,
    paused_until = p.paused_until - age_deliveries.elapsed,
    recovered_at = p.recovered_at - age_deliveries.elapsed;
end $$;

comment on function test.age_deliveries(interval) is 'Moves the times of deliveries and webhooks back, as if this time had passed.';
