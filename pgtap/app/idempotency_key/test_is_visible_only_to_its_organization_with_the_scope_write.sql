begin;
select plan(4);

select act_as('alice');
select keep('alice', api.create_lead('{"email": "alice@example.com"}', 'a-key'));
select act_as('bob');
select keep('bob', api.create_lead('{"email": "bob@example.com"}', 'a-key'));

select act_inside('alice', 'write');
select results_eq(
  'select k.organization_id from app.idempotency_key as k', array[organization('alice')], 'alice sees her own row'
);
select act_inside('alice', 'read');
select is_empty(
  'select k.status from app.idempotency_key as k', 'with the scope read no row is visible'
);
select is_empty('delete from app.idempotency_key returning key_digest', 'and none can be deleted');
select act_inside('stranger');
select is_empty('select k.status from app.idempotency_key as k', 'without a claim no row is visible');

select * from finish();
rollback;
