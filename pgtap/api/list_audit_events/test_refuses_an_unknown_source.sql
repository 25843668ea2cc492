begin;
select plan(3);

select act_as('alice', 'read');
select is(
  faults($$select api.list_audit_events(source => '{api,telegram}')$$), array['source unknown_source'], 'an unknown source'
);
select throws_ok($$select api.list_audit_events(source => '{telegram}')$$, 'PT422', 'validation_failed');
select is((api.list_audit_events(source => '{api,sql,worker,system}')).status, 200, 'the four known sources');

select * from finish();
rollback;
