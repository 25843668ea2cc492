begin;
select plan(6);

select admin.create_organization('Acme', 'live')::text;
select make_webhook('hook', actions => '{lead.created,lead.updated}')::text;
create function test.imported(email text, events boolean)
returns void language plpgsql volatile
as $$
begin
  perform test.act_as('operator');
  perform admin.begin_import(test.acme(), sha256(convert_to(imported.email, 'UTF8')));
  insert into admin.import_line (organization_id, file_digest, position, fields)
  values (test.acme(), sha256(convert_to(imported.email, 'UTF8')), 1, format('{"email": "%s"}', imported.email));
  perform admin.import_leads(
    test.acme(), sha256(convert_to(imported.email, 'UTF8')), false, 'reference', 'error', false, true, imported.events
  );
  -- In the same transaction, and not of the import.
  perform admin.load_leads(
    test.acme(),
    jsonb_build_array(jsonb_build_object(
      'email', 'after' || imported.email, 'lead_score', 0, 'pipeline_stage', 'new', 'created_at', now(), 'updated_at', now()
    ))
  );
  perform test.act_as('dba');
end $$;
create function test.sent()
returns text[]
language sql
volatile
begin atomic
  select array(
    select l.email from webhook.delivery as d join app.lead as l on l.id = d.lead_id order by d.position
  );
end;

select imported('quiet@example.com', false);
select queue_deliveries();
select is(sent(), '{afterquiet@example.com}', 'without it they are not sent');
select is(
  (select e.source || ' ' || e.correlation_id from audit.event as e where e.lead_id = lead('quiet@example.com')),
  'system import:' || left(encode(sha256('quiet@example.com'), 'hex'), 16),
  'their correlation_id names the file'
);
select is(
  (select e.correlation_id from audit.event as e where e.lead_id = lead('afterquiet@example.com')), null, 'and that of others does not'
);
select imported('loud@example.com', true);
select queue_deliveries();
select is(sent(), '{afterquiet@example.com,loud@example.com,afterloud@example.com}', 'with it they are sent');

update app.lead set name = 'later' where email = 'quiet@example.com';
select queue_deliveries();
select is((sent())[4], 'quiet@example.com', 'later changes of such a lead are sent');
select is(
  (select v.holds from admin.verify_chain(acme()) as v), true, 'the chain holds'
);

select * from finish();
rollback;
