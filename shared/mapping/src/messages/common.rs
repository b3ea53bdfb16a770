use gyre_proto::api::*;

messages! {
    Error { code, message, unanswered }
    StreamPosition { offset, epoch }
    ClientInfo { user always, client always, conn_info, chan_info }
    FilterNode { op, key, cmp, val, vals, nodes }
    BoolValue { value }
    Int32Value { value }
}
