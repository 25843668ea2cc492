begin;
select plan(2);

select act_as('alice');
select throws_ok($$select api.create_lead('{}', 'a-key')$$, 'PT422', 'validation_failed');
select is((api.create_lead('{"email": "ada@example.com"}', 'a-key')).status, 201, 'the corrected request can use the key');

select * from finish();
rollback;
